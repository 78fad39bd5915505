"""The event bus in EventBridge, on which completions and cancellations are published."""

from typing import TYPE_CHECKING

from pydantic import BaseModel

from background_jobs.aws.clients import reaching_aws
from background_jobs.core.bus import (
    CANCELLED_DETAIL_TYPE,
    EVENT_SOURCE,
    JOB_COMPLETED_DETAIL_TYPE,
    STALLED_DETAIL_TYPE,
)
from background_jobs.core.completion import JobCompletedEvent
from background_jobs.core.errors import EventNotPublished
from background_jobs.core.events import OrchestrationCancelled, OrchestrationStalled

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


class Cancellation(OrchestrationCancelled):
    """A cancellation as the bus delivers it, with the service of its orchestration."""

    service: str


class EventBus:
    """Where consumers learn that an orchestration completed, was cancelled or does not move."""

    def __init__(self, events: "EventBridgeClient", name: str) -> None:
        self._events = events
        self._name = name

    def find(self) -> None:
        """Do nothing where the bus is there. Raises ClientError."""
        self._events.describe_event_bus(Name=self._name)

    def publish_completed(self, event: JobCompletedEvent) -> None:
        """Publish that an orchestration has completed. Raises EventNotPublished if the bus refuses."""
        self._publish(JOB_COMPLETED_DETAIL_TYPE, event.orchestration_id, event)

    def publish_cancelled(self, service: str, event: OrchestrationCancelled) -> None:
        """Publish that somebody cancelled an orchestration. Raises EventNotPublished if the bus refuses."""
        detail = Cancellation(service=service, **event.model_dump())
        self._publish(CANCELLED_DETAIL_TYPE, event.orchestration_id, detail)

    def publish_stalled(self, event: OrchestrationStalled) -> None:
        """Publish that an orchestration does not move. Raises EventNotPublished if the bus refuses."""
        self._publish(STALLED_DETAIL_TYPE, event.orchestration_id, event)

    @reaching_aws
    def _publish(self, detail_type: str, orchestration_id: str, detail: BaseModel) -> None:
        response = self._events.put_events(
            Entries=[
                {
                    "EventBusName": self._name,
                    "Source": EVENT_SOURCE,
                    "DetailType": detail_type,
                    "Detail": detail.model_dump_json(),
                    "Resources": [orchestration_id],
                }
            ]
        )
        if response["FailedEntryCount"]:
            entry = response["Entries"][0]
            raise EventNotPublished(
                f"The bus {self._name!r} refused the {detail_type} of {orchestration_id}: "
                f"{entry.get('ErrorCode')}: {entry.get('ErrorMessage')}"
            )
