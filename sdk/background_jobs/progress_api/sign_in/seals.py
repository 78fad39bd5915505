"""Cookies that only this API can read and write: encrypted, and of one purpose each."""

import base64
import hashlib
from collections.abc import Callable
from typing import Final, TypeVar

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import BaseModel, ValidationError

_Content = TypeVar("_Content", bound=BaseModel)
_KEY_BYTES: Final = 32
_LEAST_CHARACTERS: Final = 32


class Seals:
    """Seals and opens; the secret is read once, when it is first needed.

    Each kind of content has a key of its own, so that none passes for another.
    """

    def __init__(self, read_secret: Callable[[], str]) -> None:
        self._read_secret = read_secret
        self._keys: dict[str, Fernet] = {}

    def seal(self, content: BaseModel) -> str:
        """Return *content* as the value of a cookie."""
        return self._key(type(content)).encrypt(content.model_dump_json().encode()).decode()

    def open(self, kind: type[_Content], value: str | None) -> _Content | None:
        """Return what was sealed as *kind*; None where there is no value, or none of ours."""
        if not value:
            return None
        try:
            return kind.model_validate_json(self._key(kind).decrypt(value.encode()))
        except (InvalidToken, ValidationError, UnicodeError):
            return None

    def _key(self, kind: type[BaseModel]) -> Fernet:
        if kind.__name__ not in self._keys:
            secret = self._read_secret()
            if len(secret) < _LEAST_CHARACTERS:
                raise ValueError(f"The secret of sessions has less than {_LEAST_CHARACTERS} characters.")
            derived = HKDF(hashes.SHA256(), _KEY_BYTES, salt=None, info=kind.__name__.encode())
            key = derived.derive(hashlib.sha256(secret.encode()).digest())
            self._keys[kind.__name__] = Fernet(base64.urlsafe_b64encode(key))
        return self._keys[kind.__name__]
