"""The cookies of a browser: of an attempt to sign in, of a session, and of what refreshes it."""

from datetime import datetime
from typing import Final

from pydantic import BaseModel
from starlette.requests import HTTPConnection
from starlette.responses import Response

from background_jobs.core.sign_in import ATTEMPT_LIFETIME, LONGEST, RefreshGrant, Session, SignInAttempt
from background_jobs.progress_api.sign_in.seals import Seals

# `__Host-`: a browser takes them over TLS only, for this host alone, and from no subdomain.
ATTEMPT: Final = "__Host-background-jobs-sign-in"
SESSION: Final = "__Host-background-jobs-session"
REFRESH: Final = "__Host-background-jobs-refresh"
_BYTES: Final = 4_000
"""What browsers take of a cookie, its name and attributes left out."""


class Cookies:
    """Reads and writes them."""

    def __init__(self, seals: Seals) -> None:
        self._seals = seals

    def attempt(self, request: HTTPConnection, now: datetime) -> SignInAttempt | None:
        """Return the attempt that this browser began, if it is not too long ago."""
        attempt = self._seals.open(SignInAttempt, request.cookies.get(ATTEMPT))
        return attempt if attempt and now < attempt.expires_at else None

    def session(self, request: HTTPConnection, now: datetime) -> Session | None:
        """Return the session of this browser, if it has not expired."""
        session = self._seals.open(Session, request.cookies.get(SESSION))
        return session if session and now < session.expires_at else None

    def refresh_grant(self, request: HTTPConnection, now: datetime) -> RefreshGrant | None:
        """Return what refreshes the session of this browser, if anything does."""
        grant = self._seals.open(RefreshGrant, request.cookies.get(REFRESH))
        return None if grant is None or grant.is_over(now) else grant

    def set_attempt(self, response: Response, attempt: SignInAttempt) -> None:
        """Let the browser remember an attempt, in place of the one before."""
        self._set(response, ATTEMPT, attempt, int(ATTEMPT_LIFETIME.total_seconds()))

    def set_session(self, response: Response, session: Session, grant: RefreshGrant | None) -> None:
        """Let the browser have a session; the attempt that led to it is over."""
        seconds = int(LONGEST.total_seconds())
        self._set(response, SESSION, session, seconds)
        if grant is not None:
            self._set(response, REFRESH, grant, seconds)
        forget(response, ATTEMPT)

    def _set(self, response: Response, name: str, content: BaseModel, seconds: int) -> None:
        value = self._seals.seal(content)
        if len(value) > _BYTES:
            # A browser would drop it without a word.
            forget(response, name)
            return
        response.set_cookie(
            name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax"
        )


def forget(response: Response, *names: str) -> None:
    """Let the browser forget cookies."""
    for name in names:
        response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")
