"""Keeps what the jobs publish of themselves as new as their files: whoever asks for it gets it anew."""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from xml.sax.saxutils import escape

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from background_jobs.aws.clients import JOBS_NOT_LOADED
from background_jobs.core.job_descriptions import JobDescription, descriptions_key
from background_jobs.local_stack.launchers import MainNotLoaded

_PATH: Final = re.compile(r"/[^/]+/" + re.escape(descriptions_key("*")).replace(r"\*", "([^/]+)"))
_FUNCTION: Final = "app/function"
"""How a function names itself: what follows by itself is not refused, but fails with its reason."""
_THREADS: Final = 16
_PATIENCE_SECONDS: Final = 20
"""How long somebody waits for jobs; his client gives up after a minute."""

Publish = Callable[[str, Sequence[JobDescription]], None]
"""Replaces what the jobs of a service have published."""


class FreshCatalog:
    """An ASGI application around the emulator's, which has jobs loaded again before it answers for them.

    *reload* returns the jobs of a service as their files are now, or None where nobody looks.
    """

    def __init__(self, app: ASGIApp, reload: Callable[[str], Sequence[JobDescription] | None]) -> None:
        self._app = app
        self._reload = reload
        self._publish: Publish | None = None
        self._published: dict[str, Sequence[JobDescription]] = {}
        # The emulator may use all threads of the loop for calls that wait.
        self._pool = ThreadPoolExecutor(_THREADS)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def begin(self, publish: Publish) -> None:
        """Keep what is published up to date from now on, by *publish*."""
        self._publish = publish

    def publish(self, service: str, jobs: Sequence[JobDescription]) -> None:
        """Publish *jobs*, unless they are what was published last."""
        if self._publish and self._published.get(service) != list(jobs):
            self._publish(service, jobs)
            self._published[service] = list(jobs)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on; what asks for jobs that cannot be loaded any more is told why."""
        asked = _PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
        refusal = ""
        if asked and scope["method"] == "GET" and _FUNCTION not in Headers(scope=scope).get("user-agent", ""):
            refusal = await self._refresh_in_turn(asked[1])
        await (_refuse(refusal) if refusal else self._app)(scope, receive, send)

    async def _refresh_in_turn(self, service: str) -> str:
        """Have `_refresh` done, for each service one by one; return its answer, or that it takes too long."""
        turn, deadline = self._turns[service], time.monotonic() + _PATIENCE_SECONDS
        try:
            await asyncio.wait_for(turn.acquire(), _PATIENCE_SECONDS)
        except TimeoutError:
            return _describe_wait(service)
        refreshing = asyncio.get_running_loop().run_in_executor(self._pool, self._refresh, service)
        refreshing.add_done_callback(lambda _: turn.release())
        done, _ = await asyncio.wait({refreshing}, timeout=max(0, deadline - time.monotonic()))
        return refreshing.result() if done else _describe_wait(service)

    def _refresh(self, service: str) -> str:
        """Load the jobs of *service* again where they were edited; return why that cannot be, or nothing."""
        try:
            jobs = self._reload(service)
        except MainNotLoaded as failed:
            return (
                f"The jobs of service {service!r} cannot be loaded any more since they were edited:\n"
                f"{failed}\nMend them, and ask again. What runs goes on with what was loaded before."
            )
        if jobs is not None:
            self.publish(service, jobs)
        return ""


def _describe_wait(service: str) -> str:
    return (
        f"The jobs of service {service!r} were edited, and after {_PATIENCE_SECONDS} s they are still being "
        "loaded. Ask again, or see what takes so long: `background-jobs local logs` has what they print. "
        "What runs goes on with what was loaded before."
    )


def _refuse(message: str) -> Response:
    text = "".join(letter for letter in message if letter.isprintable() or letter == "\n")
    error = f"<Error><Code>{JOBS_NOT_LOADED}</Code><Message>{escape(text)}</Message></Error>"
    return Response(error, 409, media_type="application/xml")
