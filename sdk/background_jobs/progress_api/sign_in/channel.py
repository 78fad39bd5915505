"""The way in for browsers: what comes below `/web` has a session, or asks for nothing that needs one."""

import asyncio
import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from background_jobs.progress_api.problems import problem
from background_jobs.progress_api.sign_in.cookies import Cookies
from background_jobs.progress_api.sign_in.session_key import SESSION_KEY

PREFIX: Final = "/web"
OWN_HEADER: Final = "x-background-jobs-console"
"""What the console sends with changes; other sites cannot without being asked for by a preflight."""
_SAFE: Final = frozenset({"GET", "HEAD"})
_WITHOUT_SESSION: Final = re.compile(
    r"(GET|HEAD) /console(/.*)?|(GET|HEAD) /sign-in(/callback)?|POST /(sign-out|session)"
)
"""The page with its files, and signing in, refreshing and signing out."""


class BrowserChannel:
    """Lets requests below `/web` reach the same routes as others, in the name of who is signed in."""

    def __init__(
        self, app: ASGIApp, *, cookies: Cookies, console_url: str, clock: Callable[[], datetime]
    ) -> None:
        self._app = app
        self._cookies = cookies
        self._clock = clock
        self._console_url = console_url
        self._origin = origin_of(console_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http" or not is_below(scope["path"]):
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(PREFIX)
        inner = {**scope, "path": path, "raw_path": path.encode(), SESSION_KEY: None}
        # The first time, the secret of sessions is read.
        answer = self._redirect(path) or await asyncio.to_thread(self._refuse, inner)
        is_file = path == "/console" or path.startswith("/console/")
        await (answer or self._app)(inner, receive, send if is_file else _without_store(send))

    def _redirect(self, path: str) -> Response | None:
        return RedirectResponse(self._console_url, 303) if path in {"", "/"} else None

    def _refuse(self, scope: Scope) -> Response | None:
        """Return why a request is refused, if so; otherwise *scope* has its session."""
        headers, method = Headers(scope=scope), scope["method"]
        if method not in _SAFE and not self._is_own(headers):
            detail = "Only the console itself changes anything here. Others use the API, signed or by token."
            return problem(403, "ForeignOrigin", detail)
        scope[SESSION_KEY] = self._cookies.session(HTTPConnection(scope), self._clock())
        if scope[SESSION_KEY] or _WITHOUT_SESSION.fullmatch(f"{method} {scope['path']}"):
            return None
        return problem(401, "SignInRequired", "You are not signed in, or not any more. Sign in again.")

    def _is_own(self, headers: Headers) -> bool:
        """Tell whether the console sent it: a page of this origin, by a header of its own."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        is_same = origin == self._origin and site in {None, "same-origin"}
        return is_same and OWN_HEADER in headers


def origin_of(url: str) -> str:
    """Return the origin of an address.

    >>> origin_of("https://jobs.example.com/web/console")
    'https://jobs.example.com'
    """
    return "/".join(url.split("/", 3)[:3])


def is_below(path: str) -> bool:
    """Tell whether a path is one for browsers.

    >>> is_below("/web/orchestrations"), is_below("/website")
    (True, False)
    """
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def _without_store(send: Send) -> Send:
    """Keep answers out of every store: who signs out leaves nothing behind."""

    async def send_with_header(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["cache-control"] = "no-store"
        await send(message)

    return send_with_header
