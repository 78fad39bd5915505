"""The event bus in EventBridge, on which completions are published."""

from typing import TYPE_CHECKING

from background_jobs.aws.clients import reaching_aws
from background_jobs.core import naming
from background_jobs.core.completion import JobCompletedEvent
from background_jobs.core.errors import EventNotPublished

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


class EventBus:
    """Where other services hear of completed orchestrations."""

    def __init__(self, events: "EventBridgeClient", name: str) -> None:
        self._events = events
        self._name = name

    @reaching_aws
    def publish(self, event: JobCompletedEvent) -> None:
        """Publish *event*. Raises EventNotPublished if the bus refuses it."""
        answer = self._events.put_events(
            Entries=[
                {
                    "EventBusName": self._name,
                    "Source": naming.EVENT_SOURCE,
                    "DetailType": naming.JOB_COMPLETED_DETAIL_TYPE,
                    "Detail": event.model_dump_json(),
                    "Time": event.completed_at,
                    "Resources": [event.orchestration_id],
                }
            ]
        )
        if answer["FailedEntryCount"]:
            refused = answer["Entries"][0]
            raise EventNotPublished(
                f"The bus {self._name!r} refused the JobCompletedEvent of {event.orchestration_id}: "
                f"{refused.get('ErrorCode')}: {refused.get('ErrorMessage')}"
            )
