"""How the routes read bodies: as JSON in which nothing is lost."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from background_jobs.core.strict_json import read_json


class _StrictRequest(Request):
    async def json(self) -> Any:  # noqa: ANN401 -- any JSON
        return read_json(await self.body())


class JsonRoute(APIRoute):
    """A route whose body is refused, with the reason, where it cannot be read or a value would be lost."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return handle_strictly
