"""People who sign in at an OpenID provider: what an attempt needs to remember, and what a session allows."""

import base64
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict

from background_jobs.core.access import READ, WRITE, Access, access_of, environment_scope

EVERYBODY: Final = "*"
"""In place of the name of a group: whoever signs in."""
ATTEMPT_LIFETIME: Final = timedelta(minutes=10)
"""How long somebody may take at the provider, its second factor included."""
SESSION_LIFETIME: Final = timedelta(minutes=15)
"""How long a session lasts that can be refreshed, and so the longest that a removed group still counts."""
UNREFRESHED_LIFETIME: Final = timedelta(hours=1)
"""How long one lasts where the provider gives no refresh token."""
LONGEST: Final = timedelta(hours=12)
"""After so long somebody signs in again, whatever was refreshed."""
_NAME_CHARACTERS: Final = 256
_GRANTED_CHARACTERS: Final = 1_500
"""A cookie has 4 KB; only groups that allow something are kept, those for the whole environment first."""


class SignInAttempt(BaseModel):
    """What the browser that began to sign in has to bring back, so that nobody is signed in as another."""

    model_config = ConfigDict(frozen=True)

    state: str
    nonce: str
    code_verifier: str
    place: str
    """Where in the console to go on: what follows the # of its address."""
    expires_at: AwareDatetime

    @property
    def code_challenge(self) -> str:
        """Return the challenge of PKCE. Source: RFC 7636, section 4.2, S256."""
        digest = hashlib.sha256(self.code_verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Session(BaseModel):
    """Somebody who is signed in."""

    model_config = ConfigDict(frozen=True)

    subject: str
    """Who it is for the provider, for ever."""
    name: str
    """Who it is for others: in the console, and in the history."""
    granted: tuple[str, ...]
    """The scopes and groups that allow something in the environment."""
    signed_in_at: AwareDatetime
    expires_at: AwareDatetime

    def access(self, environment: str) -> Access:
        """Return what the session allows."""
        return access_of(self.granted, environment)


class RefreshGrant(BaseModel):
    """What refreshes a session at the provider."""

    model_config = ConfigDict(frozen=True)

    subject: str
    token: str
    signed_in_at: AwareDatetime

    def is_over(self, now: datetime) -> bool:
        """Tell whether it is time to sign in again."""
        return now >= self.signed_in_at + LONGEST


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """How the claims of an ID token become a session."""

    environment: str
    readers: str
    """The group of those who may read everything; `EVERYBODY` for all who sign in."""
    operators: str
    """The group of those who may also kick off and change everything."""
    groups_claim: str = "groups"
    name_claim: str = "email"

    def session(
        self, claims: Mapping[str, Any], *, signed_in_at: datetime, now: datetime, refreshed: bool
    ) -> Session:
        """Return the session of verified *claims*; it may allow nothing."""
        lifetime = SESSION_LIFETIME if refreshed else UNREFRESHED_LIFETIME
        return Session(
            subject=str(claims["sub"]),
            name=self._name(claims)[:_NAME_CHARACTERS],
            granted=self._granted(_texts(claims.get(self.groups_claim))),
            signed_in_at=signed_in_at,
            expires_at=min(now + lifetime, signed_in_at + LONGEST),
        )

    def _name(self, claims: Mapping[str, Any]) -> str:
        """Return what names somebody to others; an address that nobody has verified names nobody."""
        unverified = self.name_claim == "email" and str(claims.get("email_verified", True)).lower() == "false"
        name = claims.get(self.name_claim)
        return name if isinstance(name, str) and name and not unverified else str(claims["sub"])

    def _granted(self, groups: Collection[str]) -> tuple[str, ...]:
        own = {
            environment_scope(self.environment, what)
            for what, group in ((READ, self.readers), (WRITE, self.operators))
            if group == EVERYBODY or group in groups
        }
        ours = f"background-jobs-{self.environment}"
        scopes = {group for group in groups if group.startswith((f"{ours}/", f"{ours}."))}
        granted = [*sorted(own), *sorted(scopes - own)]
        lengths = accumulate(map(len, granted))
        return tuple(
            group for group, length in zip(granted, lengths, strict=True) if length <= _GRANTED_CHARACTERS
        )


def _texts(claim: object) -> list[str]:
    """Return the groups of a claim: an array, as most providers write it, or a text with separators.

    >>> _texts(["a", "b c"]), _texts("a,b c"), _texts(None)
    (['a', 'b c'], ['a', 'b', 'c'], [])
    """
    if isinstance(claim, str):
        return claim.replace(",", " ").split()
    return [one for one in claim if isinstance(one, str)] if isinstance(claim, list) else []
