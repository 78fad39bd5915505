"""The stream of the event log: its records, delivered in batches to the functions that follow it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any, Final

from background_jobs.control_plane.stream import Handle, handle_records
from background_jobs.core.given_up import UnreadableRecord
from background_jobs.testing.faults import Faults
from background_jobs.testing.virtual_time import VirtualTime

_AGAIN_SECONDS: Final = 1.0
_TRIES: Final = 12 * 3_600
"""Lambda tries for twelve hours."""

Record = Mapping[str, Any]


class LogStream:
    """Gathers what is new in the event log, and delivers it once at each moment."""

    def __init__(self, time: VirtualTime, faults: Faults) -> None:
        self._time = time
        self._faults = faults
        self._functions: list[Handle] = []
        self._gathered: list[Record] = []
        self._numbers = count(1)

    def follow(self, function: Handle) -> None:
        """Have *function* called with the events of each orchestration."""
        self._functions.append(function)

    def insert(self, item: Mapping[str, Any]) -> None:
        """Take note of a new item of the log."""
        if not self._gathered:
            self._time.plan(0, self._deliver)
        number = f"{next(self._numbers):020}"
        self._gathered.append(
            {"eventName": "INSERT", "dynamodb": {"NewImage": item, "SequenceNumber": number}}
        )

    def _deliver(self) -> None:
        records, self._gathered = self._gathered, []
        for function in self._functions:
            for _ in range(1 + self._faults.delivers_twice):
                self._hand(function, records, 1)

    def _hand(self, function: Handle, records: Sequence[Record], number: int) -> None:
        answer = handle_records(records, function, _give_up)
        failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        if not failed:
            return
        if number == _TRIES:
            raise AssertionError(f"The records from {min(failed)} on failed for twelve hours; see the log.")
        left = [record for record in records if record["dynamodb"]["SequenceNumber"] >= min(failed)]
        again: Callable[[], None] = partial(self._hand, function, left, number + 1)
        self._time.plan(_AGAIN_SECONDS, again)


def _give_up(record: UnreadableRecord) -> None:
    raise AssertionError(f"An item of the event log cannot be read: {record}")
