"""EventBridge in memory: the bus, and the rules of the stack."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from background_jobs.core.bus import EVENT_SOURCE, JOB_COMPLETED_DETAIL_TYPE
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
        self._targets: list[Callable[[Event], None]] = []
        self.completed: list[JobCompletedEvent] = []
        """The completions that were delivered so far, in their order."""
        self.follow(self._note)

    def follow(self, target: Callable[[Event], None]) -> None:
        """Have *target* called with every event."""
        self._targets.append(target)

    def put_events(self, *, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803 -- the name of boto3
        """Publish some events."""
        self._request("PutEvents")
        for entry in Entries:
            event = {
                "source": entry["Source"],
                "detail-type": entry["DetailType"],
                "resources": list(entry["Resources"]),
                "detail": json.loads(entry["Detail"]),
            }
            for target in self._targets:
                self._deliveries.deliver(partial(target, event))
        return {"FailedEntryCount": 0, "Entries": [{} for _ in Entries]}

    def _note(self, event: Event) -> None:
        if is_completion(event):
            self.completed.append(JobCompletedEvent.from_eventbridge(event))


def is_completion(event: Event) -> bool:
    """Tell whether an orchestration has completed."""
    return (event["source"], event["detail-type"]) == (EVENT_SOURCE, JOB_COMPLETED_DETAIL_TYPE)
