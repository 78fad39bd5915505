"""Tells callers of a stack that has ended that another one answers at its address."""

import re
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from background_jobs.aws.clients import OTHER_STACK
from background_jobs.local_stack.variables import find_stack_of

_ACCESS_KEY: Final = re.compile(r"Credential=([^/]+)/[^/]*/[^/]*/([^/]+)/")
_MESSAGE: Final = (
    "The offline stack to which the variables of this process belong has ended, and another one answers at "
    "its address. Take the variables of that one: background-jobs local up"
)


class StackCheck:
    """An ASGI application around the emulator's, which refuses the callers of another stack.

    Otherwise everything that they knew would seem never to have been.
    """

    def __init__(self, app: ASGIApp, stack_id: str) -> None:
        self._app = app
        self._stack_id = stack_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on, or answer it with an error in the form of its protocol."""
        found = None
        if scope["type"] == "http":
            found = _ACCESS_KEY.search(Headers(scope=scope).get("authorization", ""))
        if found and find_stack_of(found[1]) not in {None, self._stack_id}:
            await _refusal(service=found[2])(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _refusal(service: str) -> Response:
    if service == "s3":
        error = f"<Error><Code>{OTHER_STACK}</Code><Message>{_MESSAGE}</Message></Error>"
        return Response(error, 403, media_type="application/xml")
    return JSONResponse({"__type": OTHER_STACK, "message": _MESSAGE}, 403, {"x-amzn-errortype": OTHER_STACK})
