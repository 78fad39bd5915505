"""EventBridge in memory: the bus, and the rules of the stack."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import uuid4

from background_jobs.core.completion import JobCompletedEvent
from background_jobs.testing.client import MemoryClient
from background_jobs.testing.deliveries import Deliveries
from background_jobs.testing.faults import Faults
from background_jobs.testing.virtual_time import VirtualTime

Event = Mapping[str, Any]
"""An event as EventBridge delivers it."""


class MemoryEventBridge(MemoryClient):
    """The bus, which tells all who follow it of every event."""

    service = "events"

    def __init__(self, time: VirtualTime, faults: Faults, deliveries: Deliveries) -> None:
        super().__init__(time, faults)
        self._deliveries = deliveries
        self._rules: list[tuple[Mapping[str, Any], Callable[[Event], None]]] = []
        self.completed: list[JobCompletedEvent] = []
        """The completions that were delivered so far, in their order."""
        self.follow(JobCompletedEvent.pattern(), self._note)

    def follow(self, pattern: Mapping[str, Any], target: Callable[[Event], None]) -> None:
        """Have *target* called with the events that have one of the values which *pattern* lists of each."""
        self._rules.append((pattern, target))

    def put_events(self, *, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803 -- the name of boto3
        """Publish some events."""
        self._request("PutEvents")
        for entry in Entries:
            event = {
                "version": "0",
                "id": str(uuid4()),
                "time": self._time.now().isoformat(timespec="seconds").replace("+00:00", "Z"),
                "source": entry["Source"],
                "detail-type": entry["DetailType"],
                "resources": list(entry["Resources"]),
                "detail": json.loads(entry["Detail"]),
            }
            for pattern, target in self._rules:
                if _matches(pattern, event):
                    self._deliveries.deliver(partial(target, event))
        return {"FailedEntryCount": 0, "Entries": [{} for _ in Entries]}

    def _note(self, event: Event) -> None:
        self.completed.append(JobCompletedEvent.from_eventbridge(event))


def _matches(pattern: Mapping[str, Any], event: Event) -> bool:
    return all(
        _matches(values, event.get(name, {})) if isinstance(values, Mapping) else event.get(name) in values
        for name, values in pattern.items()
    )
