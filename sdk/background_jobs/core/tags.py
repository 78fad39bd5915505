"""The tags that mean something to the service; all others are the caller's own."""

from typing import Final

CUSTOMER_TAG: Final = "customer"
"""The tag by which orchestrations are found."""

SCHEDULE_TAG: Final = "schedule"
SCHEDULED_AT_TAG: Final = "scheduled_at"
"""The tags of what a schedule kicked off: its name, and when the occurrence was due (ISO 8601, UTC)."""
