"""How often, and in what portions, the service calls AWS: delays and costs follow from both."""

from typing import Final

TRANSACTION_ITEMS: Final = 100
"""Events in one transaction, at most; DynamoDB takes no more."""

APPEND_SECONDS: Final = 0.2
"""How long an event may wait for others to share its transaction."""

LOOK_SECONDS: Final = 2.0
"""How often a container looks whether its orchestration was cancelled."""

CONTAINER_SECONDS: Final = 7 * 86_400
"""How long a container may work; its task is stopped then."""

STREAM_BATCH: Final = 1_000
"""Records that the aggregator is handed at once, at most."""
