"""The token of a page of logs: how far each of them was read."""

import base64
import binascii
import json
import zlib
from collections.abc import Sequence
from typing import Any, Final

from background_jobs.core.errors import InvalidToken
from background_jobs.core.views.log_parts import LogPart
from background_jobs.orchestration_service.log_sources import Position, Positions

_MOST_BYTES: Final = 64 * 1024


def encode_positions(positions: Positions) -> str:
    """Return a token of *positions*; that of a hundred logs has some 2,000 characters."""
    document = json.dumps({_short(key): position for key, position in positions.items()})
    return base64.urlsafe_b64encode(zlib.compress(document.encode())).decode().rstrip("=")


def decode_positions(token: str, parts: Sequence[LogPart]) -> dict[str, Position]:
    """Return the positions of *parts* that *token* has. Raises InvalidToken."""
    by_key = {_short(part.key): part.key for part in parts}
    try:
        packed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        document: Any = json.loads(zlib.decompressobj().decompress(packed, _MOST_BYTES))
        return {
            by_key[key]: Position(int(at), int(seen)) for key, (at, seen) in document.items() if key in by_key
        }
    except (binascii.Error, zlib.error, ValueError, TypeError, AttributeError, OverflowError):
        raise InvalidToken(token) from None


def _short(key: str) -> str:
    return f"{zlib.crc32(key.encode()):x}"
