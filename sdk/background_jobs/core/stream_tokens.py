"""Tokens that open one orchestration's stream for a short time, for readers that cannot send headers.

A token says what it is for, and has the code (MAC) of a key that only the API has::

    <base64url of the grant's JSON>.<base64url of the MAC>
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from background_jobs.core.errors import StreamTokenRefused

LIFETIME: Final = timedelta(seconds=60)
"""For how long a token opens the stream; a stream that is open goes on."""
TOKEN_CHARACTERS: Final = 1_024
"""The most characters of a token."""


class StreamGrant(BaseModel):
    """What a token allows: to open the stream of one orchestration."""

    model_config = ConfigDict(frozen=True)

    orchestration_id: str
    caller: str
    """Who asked for the token, for the log; empty where callers have no names."""
    expires_at: AwareDatetime

    @classmethod
    def until(cls, now: datetime, orchestration_id: str, caller: str) -> "StreamGrant":
        """Return the grant of a token that is made at the moment *now*."""
        return cls(orchestration_id=orchestration_id, caller=caller, expires_at=now + LIFETIME)

    def payload(self) -> bytes:
        """Return the bytes whose MAC makes the grant a token."""
        return self.model_dump_json().encode()


def to_token(payload: bytes, mac: bytes) -> str:
    """Return the token of a grant's payload and its MAC."""
    return f"{_encode(payload)}.{_encode(mac)}"


def split_token(token: str) -> tuple[bytes, bytes]:
    """Return the payload and the MAC of *token*, neither of them verified. Raises StreamTokenRefused.

    >>> split_token(to_token(b"payload", b"mac"))
    (b'payload', b'mac')
    """
    payload, _, mac = token.partition(".")
    try:
        return _decode(payload), _decode(mac)
    except ValueError as malformed:
        raise StreamTokenRefused("it is none of this API") from malformed


def read_grant(payload: bytes, now: datetime) -> StreamGrant:
    """Return the grant of a payload whose MAC was verified. Raises StreamTokenRefused once it has expired."""
    try:
        grant = StreamGrant.model_validate_json(payload)
    except ValidationError as malformed:
        raise StreamTokenRefused("it is none of this API") from malformed
    if now >= grant.expires_at:
        raise StreamTokenRefused("it has expired")
    return grant


def _encode(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
