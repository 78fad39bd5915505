"""The params of a whole orchestration on this machine, for outcomes that come in any order."""

import json
from array import array
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Any, Final, Self

from background_jobs.aws.payloads import Payloads
from background_jobs.core.events import OrchestrationStarted

_IN_MEMORY: Final = 8 * 1024 * 1024


class ParamsFile:
    """A copy of the params, fetched when first asked for; beyond 8 MB it lies on disk."""

    def __init__(self, started: OrchestrationStarted, payloads: Payloads) -> None:
        self._started = started
        self._payloads = payloads
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 -- see __exit__
        self._starts = array("Q")

    def of(self, index: int) -> dict[str, Any]:
        """Return the params of one instance. Raises PayloadNotFound."""
        if not self._starts:
            for line in self._payloads.lines(self._started.params_key):
                self._starts.append(self._file.tell())
                self._file.write(line + b"\n")
        self._file.seek(self._starts[index])
        params: dict[str, Any] = json.loads(self._file.readline())
        return params

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
