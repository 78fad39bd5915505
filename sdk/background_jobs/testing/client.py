"""What the clients in memory have in common: throttling, and no operation that is not written here."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from background_jobs.testing.faults import Faults
from background_jobs.testing.refusals import Exceptions, throttled
from background_jobs.testing.virtual_time import VirtualTime

_TRIES: Final = 5
"""How often botocore makes a request, all in all, as `aws.clients` sets it."""


class MemoryClient:
    """Stands for a client of AWS; what this package does not call raises NotImplementedError."""

    service: ClassVar[str]
    exceptions: Exceptions

    def __init__(self, time: VirtualTime, faults: Faults) -> None:
        self._time = time
        self._faults = faults

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever a client may have
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotImplementedError(
            f"The twin has no {self.service}.{name}: run this test on the offline stack."
        )

    def _request(self, operation: str) -> None:
        """Make a request, as often as botocore does; raises ClientError where all are throttled."""
        tries = 0
        while self._faults.is_throttled(self.service):
            tries += 1
            if tries == _TRIES:
                raise throttled(self.service, operation, _TRIES - 1)
            self._time.skip(0.05 * 2**tries)


class Paginator:
    """Gives the pages that *read* returns all at once."""

    def __init__(self, pages: Sequence[Mapping[str, Any]]) -> None:
        self._pages = pages

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self._pages)
