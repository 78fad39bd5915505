"""Signing in and out, and the session: what only browsers ask for, below `/web`."""

import logging
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, cast

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from background_jobs.aws.secrets import Secrets
from background_jobs.core.sign_in import (
    ATTEMPT_LIFETIME,
    ClaimRules,
    RefreshGrant,
    Session,
    SignInAttempt,
)
from background_jobs.progress_api.problems import problem
from background_jobs.progress_api.sign_in.channel import BrowserChannel, origin_of
from background_jobs.progress_api.sign_in.cookies import ATTEMPT, REFRESH, SESSION, Cookies, forget
from background_jobs.progress_api.sign_in.provider import (
    Client,
    Provider,
    ProviderRefused,
    ProviderUnreachable,
)
from background_jobs.progress_api.sign_in.seals import Seals
from background_jobs.progress_api.sign_in.session_key import SESSION_KEY
from background_jobs.settings import SignInSettings

_PLACE: Final = re.compile(r"/[!-~]{0,1500}")
"""A place in the console: what follows the # of its own address, which no character of it can leave.

A longer one does not fit into a cookie.
"""
CONSOLE: Final = "console"
CALLBACK: Final = "sign-in/callback"
"""Both follow the address below which people are."""
_log = logging.getLogger(__name__)


router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """What signing in needs."""

    provider: Provider
    rules: ClaimRules
    cookies: Cookies
    console_url: str
    clock: Callable[[], datetime]

    @classmethod
    def of(
        cls,
        settings: SignInSettings,
        environment: str,
        secrets_manager: Secrets,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> "SignIn":
        """Return what *settings* say; no provider and no secret is asked for yet."""
        base = settings.console_url.removesuffix(CONSOLE)
        secret = settings.sign_in_client_secret
        provider = Provider(
            Client(
                issuer=settings.sign_in_issuer,
                client_id=settings.sign_in_client_id,
                redirect_uri=f"{base}{CALLBACK}",
                signed_out_uri=settings.console_url,
            ),
            partial(secrets_manager.read, secret) if secret else None,
        )
        rules = ClaimRules(
            environment=environment,
            readers=settings.sign_in_readers,
            operators=settings.sign_in_operators,
            groups_claim=settings.sign_in_groups_claim,
            name_claim=settings.sign_in_name_claim,
        )
        seals = Seals(partial(secrets_manager.read, settings.sign_in_session_secret))
        return cls(
            provider=provider,
            rules=rules,
            cookies=Cookies(seals),
            console_url=settings.console_url,
            clock=clock,
        )

    @property
    def origin(self) -> str:
        """Return the origin of the console, as browsers name it."""
        return origin_of(self.console_url)

    def add_to(self, app: FastAPI) -> None:
        """Add the routes of people to *app*, and what lets them reach the others."""
        app.include_router(router)
        app.add_middleware(
            BrowserChannel, cookies=self.cookies, console_url=self.console_url, clock=self.clock
        )

    def new_session(
        self,
        claims: Mapping[str, Any],
        refresh_token: str,
        signed_in_at: datetime,
    ) -> tuple[Session, RefreshGrant | None]:
        """Return the session of verified claims, and what refreshes it."""
        session = self.rules.session(
            claims, signed_in_at=signed_in_at, now=self.clock(), refreshed=bool(refresh_token)
        )
        grant = RefreshGrant(subject=session.subject, token=refresh_token, signed_in_at=signed_in_at)
        return session, grant if refresh_token else None

    def may_enter(self, session: Session) -> bool:
        """Tell whether there is anything that a session may read."""
        return not session.access(self.rules.environment).is_empty


@router.get("/sign-in")
def begin(request: Request, place: str = "/") -> Response:
    """Lead to the provider; *place* is where in the console to go on afterwards."""
    sign_in = _of(request)
    attempt = SignInAttempt(
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        code_verifier=secrets.token_urlsafe(48),
        place=place if _PLACE.fullmatch(place) else "/",
        expires_at=sign_in.clock() + ATTEMPT_LIFETIME,
    )
    try:
        response = RedirectResponse(sign_in.provider.authorization_url(attempt), 303)
    except ProviderUnreachable as absent:
        return _refuse(sign_in, "provider", absent)
    sign_in.cookies.set_attempt(response, attempt)
    return response


@router.get(f"/{CALLBACK}")
def finish(request: Request, state: str = "", code: str = "", error: str = "") -> Response:
    """Take what the provider says of who signed in, and lead back to the console."""
    sign_in = _of(request)
    attempt = sign_in.cookies.attempt(request, sign_in.clock())
    if attempt is None or not secrets.compare_digest(state.encode(), attempt.state.encode()):
        return _refuse(sign_in, "attempt", "the browser began no such attempt, or too long ago")
    if error or not code:
        return _refuse(sign_in, "denied", f"the provider answers {error!r}")
    try:
        session, grant = sign_in.new_session(*sign_in.provider.redeem(code, attempt), sign_in.clock())
    except ProviderUnreachable as absent:
        return _refuse(sign_in, "provider", absent)
    except ProviderRefused as refused:
        return _refuse(sign_in, "denied", refused)
    if not sign_in.may_enter(session):
        return _refuse(sign_in, "group", f"{session.name!r} is in no group that may read")
    response = RedirectResponse(f"{sign_in.console_url}#{attempt.place}", 303)
    sign_in.cookies.set_session(response, session, grant)
    _log.info("%r (%r) signed in", session.name, session.subject)
    return response


@router.post("/session")
def refresh(request: Request) -> Response:
    """Refresh the session, if it has expired and the provider lets it go on."""
    sign_in = _of(request)
    if request.scope.get(SESSION_KEY) is not None:
        # Another tab was faster.
        return Response(status_code=204)
    grant = sign_in.cookies.refresh_grant(request, sign_in.clock())
    if grant is None:
        return _end()
    try:
        session, next_grant = sign_in.new_session(
            *sign_in.provider.refresh(grant.token, grant.subject), grant.signed_in_at
        )
    except ProviderUnreachable as absent:
        _log.warning("A session was not refreshed: %s", absent)
        return problem(503, "ProviderUnreachable", "Where people sign in, nobody answers. Try again.")
    except ProviderRefused as refused:
        _log.warning("A session was not refreshed: %s", refused)
        return _end()
    if not sign_in.may_enter(session):
        return _end()
    response = Response(status_code=204)
    sign_in.cookies.set_session(response, session, next_grant)
    return response


@router.post("/sign-out")
def leave(request: Request) -> Response:
    """Forget the session, and say where the one with the provider can be ended."""
    sign_in = _of(request)
    grant = sign_in.cookies.refresh_grant(request, sign_in.clock())
    if grant is not None:
        with suppress(ProviderUnreachable, OSError):
            sign_in.provider.revoke(grant.token)
    response = JSONResponse({"continue_at": _sign_out_url(sign_in)})
    forget(response, SESSION, REFRESH, ATTEMPT)
    return response


def _of(request: Request) -> SignIn:
    return cast("SignIn", request.app.state.sign_in)


def _sign_out_url(sign_in: SignIn) -> str | None:
    with suppress(ProviderUnreachable):
        return sign_in.provider.sign_out_url()
    return None


def _refuse(sign_in: SignIn, why: str, reason: object) -> Response:
    """Lead back to the console, which explains in its own words why nobody was signed in."""
    _log.warning("Nobody was signed in (%s): %s", why, reason)
    response = RedirectResponse(f"{sign_in.console_url}#/signed-out?why={why}", 303)
    forget(response, ATTEMPT)
    return response


def _end() -> Response:
    response = problem(401, "SignInRequired", "Your session has ended. Sign in again.")
    forget(response, SESSION, REFRESH)
    return response
