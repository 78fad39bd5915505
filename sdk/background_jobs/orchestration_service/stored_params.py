"""Reading back the params of an orchestration, which lie in the bucket in one object."""

import json
from array import array
from collections.abc import Iterable
from tempfile import SpooledTemporaryFile
from typing import Any, Final

from background_jobs.aws.payloads import Payloads
from background_jobs.core.events import OrchestrationStarted
from background_jobs.core.ranges import InclusiveRange

_IN_MEMORY: Final = 8 * 1024 * 1024


def read_params(
    started: OrchestrationStarted, first: int, last: int, payloads: Payloads
) -> dict[int, dict[str, Any]]:
    """Return the params of the instances *first* to *last*, by index; the list of shares says where they are.

    Raises PayloadNotFound once the params have expired.
    """
    shares = [
        (InclusiveRange.parse(share["indices"]), InclusiveRange.parse(share["bytes"]))
        for share in map(json.loads, payloads.lines(started.shares_key))
    ]
    covering = [share for share in shares if share[0].first <= last and share[0].last >= first]
    byte_range = InclusiveRange(covering[0][1].first, covering[-1][1].last)
    lines = payloads.get(started.params_key, str(byte_range)).splitlines()
    numbered = enumerate(lines, start=covering[0][0].first)
    return {index: json.loads(line) for index, line in numbered if first <= index <= last}


def read_all_params(started: OrchestrationStarted, payloads: Payloads) -> Iterable[dict[str, Any]]:
    """Yield the params of every instance, in order. Raises PayloadNotFound."""
    return map(json.loads, payloads.lines(started.params_key)) if started.total else ()


class ParamsCopy:
    """A copy of all params that is read in any order; beyond 8 MB it lies on disk."""

    def __init__(self, started: OrchestrationStarted, payloads: Payloads) -> None:
        self._started = started
        self._payloads = payloads
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 -- see close
        self._starts = array("Q")

    def read(self, index: int) -> dict[str, Any]:
        """Return the params of the instance at *index*; the first call makes the copy.

        Raises PayloadNotFound once the params have expired.
        """
        if not self._starts:
            for line in self._payloads.lines(self._started.params_key):
                self._starts.append(self._file.tell())
                self._file.write(line + b"\n")
        self._file.seek(self._starts[index])
        params: dict[str, Any] = json.loads(self._file.readline())
        return params

    def close(self) -> None:
        """Drop the copy."""
        self._file.close()
