"""The outcomes of instances that end in any order, each with its params."""

import json
from array import array
from tempfile import SpooledTemporaryFile
from typing import Any, Final

from background_jobs.aws.stores import Stores
from background_jobs.core.events import OrchestrationStarted
from background_jobs.core.outcomes import Failure, Success
from background_jobs.core.statuses import COMPLETED
from background_jobs.orchestration_service.results import outcome_from_event, read_outcome_events
from background_jobs.orchestration_service.watching import Update

_IN_MEMORY: Final = 8 * 1024 * 1024


class Outcomes:
    """Finds outcomes in the log, and their params in a copy; beyond 8 MB that lies on disk."""

    def __init__(self, started: OrchestrationStarted, stores: Stores) -> None:
        self._started = started
        self._stores = stores
        self._params = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 -- see close
        self._starts = array("Q")
        self._given = bytearray(started.total)

    def among(self, update: Update) -> list[Success | Failure]:
        """Return the outcomes of the instances that ended with *update*.

        Raises PayloadNotFound once the params have expired.
        """
        moved = {move.index for move in update.transitions if move.rank >= COMPLETED}
        ended = sorted(index for index in moved if not self._given[index])
        for index in ended:
            self._given[index] = True
        events = read_outcome_events(self._started.orchestration_id, ended, self._stores)
        name, payloads = self._started.job_name, self._stores.payloads
        return [outcome_from_event(event, name, self._params_of(event.index), payloads) for event in events]

    def close(self) -> None:
        """Drop the copy of the params."""
        self._params.close()

    def _params_of(self, index: int) -> dict[str, Any]:
        if not self._starts:
            for line in self._stores.payloads.lines(self._started.params_key):
                self._starts.append(self._params.tell())
                self._params.write(line + b"\n")
        self._params.seek(self._starts[index])
        params: dict[str, Any] = json.loads(self._params.readline())
        return params
