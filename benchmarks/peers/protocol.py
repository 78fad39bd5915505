"""What the caller of a peer has to do; standard library only, for peers' environments import it."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol


class Place(NamedTuple):
    """Where a peer runs."""

    address: str
    """Of its server; empty where it needs none."""
    folder: str
    """A folder of its own."""
    workers: int


class Caller(Protocol):
    """What `connect(place)` of a peer's module returns. The module registers `JOBS` when it is imported."""

    def kick_off(self, job: str, arguments: Iterable[Any]) -> Any:  # noqa: ANN401 -- any JSON
        """Hand over a task for each of *arguments*; return what finds their results, in any process."""

    def results(self, handle: Any, patience: float) -> Iterator[Any]:  # noqa: ANN401 -- any JSON
        """Yield the result of each task in any order; give up after *patience* seconds without another."""
