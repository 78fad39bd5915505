"""The names on the event bus: the source and the detail-types of what is published."""

from typing import Final

EVENT_SOURCE: Final = "background-jobs"
"""The EventBridge source of everything that this service publishes."""

JOB_COMPLETED_DETAIL_TYPE: Final = "JobCompletedEvent"
"""The EventBridge detail-type of a completed orchestration."""

CANCELLED_DETAIL_TYPE: Final = "OrchestrationCancelled"
"""The EventBridge detail-type of a request to end an orchestration."""

STALLED_DETAIL_TYPE: Final = "OrchestrationStalled"
"""The EventBridge detail-type of the warning that nothing moves."""
