"""How far running instances are: which reports become events, and the vector that holds them."""

import zlib
from array import array
from typing import Final, NamedTuple, Self

from background_jobs.core.statuses import CHUNK_SIZE

_LAST_ATTEMPT: Final = 511
_PERCENT_BITS: Final = 7


class Progress(NamedTuple):
    """How far an instance is. A later attempt is greater than an earlier one, so progress only ever rises."""

    attempt: int
    percent: int


class ProgressChunk:
    """The progress of CHUNK_SIZE consecutive instances; stored as two bytes each, packed."""

    __slots__ = ("_values",)

    def __init__(self, values: "array[int] | None" = None) -> None:
        self._values = array("H", bytes(2 * CHUNK_SIZE)) if values is None else values

    @classmethod
    def unpacked(cls, packed: bytes) -> Self:
        """Read a chunk from the bytes that `packed` made."""
        return cls(array("H", zlib.decompress(packed).ljust(2 * CHUNK_SIZE, b"\0")))

    def packed(self) -> bytes:
        """Return two bytes per instance, up to the last that reported its progress, as packed bytes.

        They are little-endian on every machine that AWS and we run on.
        """
        return zlib.compress(self._values.tobytes().rstrip(b"\0"))

    def progress(self, offset: int) -> Progress:
        """Return how far the instance at *offset* is; attempt 0 if it never reported its progress."""
        attempt, percent = divmod(self._values[offset], 1 << _PERCENT_BITS)
        return Progress(attempt, percent)

    def raise_progress(self, offset: int, progress: Progress) -> bool:
        """Raise the instance at *offset* to *progress*, and tell whether it was lower before."""
        value = (min(progress.attempt, _LAST_ATTEMPT) << _PERCENT_BITS) + progress.percent
        if value <= self._values[offset]:
            return False
        self._values[offset] = value
        return True

    def copy(self) -> Self:
        """Return an independent copy."""
        return type(self)(self._values[:])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ProgressChunk) and self._values == other._values

    def __hash__(self) -> int:
        return hash(self._values.tobytes())


def whole_percent(percent: object) -> int | None:
    """Return *percent* as a whole number from 0 to 100; None where it is no number, or not finite.

    >>> whole_percent(40.9), whole_percent(10**400), whole_percent(float("nan"))
    (40, 100, None)
    """
    try:
        whole: int = int(percent)  # type: ignore[call-overload] # what is no number raises
    except Exception:  # noqa: BLE001 -- a number of a class of the job's own may raise anything
        return None
    return min(100, max(0, whole))


class ProgressThrottle:
    """Decides which calls of `JobContext.progress` become events: a hundred per attempt at most."""

    def __init__(self) -> None:
        self._has_warned = False
        self._percent = -1
        self._began_at: float | None = None
        self._passed_at = 0.0

    def passes(self, percent: int, now: float) -> bool:
        """Tell whether *percent*, reached at *now* (seconds, monotonic), becomes an event.

        It must have risen, and a second must have passed since the last event, or 2 % of the time so far.
        """
        if self._began_at is None:
            self._began_at = now
        elif percent <= self._percent or (
            percent < 100 and now - self._passed_at < max(1.0, 0.02 * (now - self._began_at))  # noqa: PLR2004 -- the end
        ):
            return False
        self._percent, self._passed_at = percent, now
        return True

    def is_first_mistake(self) -> bool:
        """Tell whether nobody has asked before, for a report that is left out: one warning is enough."""
        is_first, self._has_warned = not self._has_warned, True
        return is_first


def eta_seconds(final: int, total: int, running_for: float) -> float | None:
    """Return how many seconds the rest takes at the rate so far; None while no instance has an outcome.

    *running_for* is in seconds, from the first start of an instance to now.

    >>> eta_seconds(final=25, total=100, running_for=10)
    30.0
    """
    return (total - final) * running_for / final if final else None
