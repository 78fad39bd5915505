"""Making and verifying the tokens that open a stream."""

import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Final, Protocol

from background_jobs.aws.message_authentication import KmsKey
from background_jobs.core.errors import MissingSettings, StreamTokenRefused
from background_jobs.core.stream_tokens import StreamGrant, read_grant, split_token, to_token
from background_jobs.settings import NO_STREAM_TOKENS, STREAM_TOKENS_OF_PROCESS

_SETTING: Final = "BACKGROUND_JOBS_STREAM_TOKEN_KEY"


class Key(Protocol):
    """What makes the code (MAC) of a message, and verifies it."""

    def sign(self, payload: bytes) -> bytes:
        """Return the MAC of *payload*."""

    def verify(self, payload: bytes, mac: bytes) -> bool:
        """Tell whether *mac* is that of *payload*."""


class ProcessKey:
    """A random key that ends with this process, for an API that is one process."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def sign(self, payload: bytes) -> bytes:
        """Return the MAC of *payload*."""
        return hmac.digest(self._key, payload, hashlib.sha256)

    def verify(self, payload: bytes, mac: bytes) -> bool:
        """Tell whether *mac* is that of *payload*."""
        return hmac.compare_digest(self.sign(payload), mac)


class StreamTokens:
    """The tokens of one API; without a key there are none."""

    def __init__(self, key: Key | None) -> None:
        self._key = key

    @classmethod
    def of(cls, setting: str) -> "StreamTokens":
        """Return the tokens under the key that the setting names."""
        if setting == NO_STREAM_TOKENS:
            return cls(None)
        return cls(ProcessKey() if setting == STREAM_TOKENS_OF_PROCESS else KmsKey(setting))

    def issue(self, orchestration_id: str, caller: str, now: datetime) -> tuple[str, StreamGrant]:
        """Return a token for the stream of an orchestration, and its grant. Raises MissingSettings."""
        grant = StreamGrant.until(now, orchestration_id, caller)
        payload = grant.payload()
        return to_token(payload, self._require_key().sign(payload)), grant

    def open(self, token: str, now: datetime) -> StreamGrant:
        """Return the grant of *token*. Raises StreamTokenRefused or MissingSettings."""
        payload, mac = split_token(token)
        if not mac or not self._require_key().verify(payload, mac):
            raise StreamTokenRefused("it is none of this API")
        return read_grant(payload, now)

    def _require_key(self) -> Key:
        if self._key is None:
            raise MissingSettings([_SETTING])
        return self._key
