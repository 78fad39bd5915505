"""The AWS stores that a container works with; it starts without importing what the others need."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from background_jobs.aws import clients
from background_jobs.aws.block_log import BlockLog
from background_jobs.aws.clock import clock
from background_jobs.aws.event_log import EventLog
from background_jobs.aws.payloads import Payloads
from background_jobs.aws.service_lookup import ServiceLookup
from background_jobs.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStores:
    """The event log, its blocks, and the payloads."""

    event_log: EventLog
    block_log: BlockLog
    payloads: Payloads
    clock: Callable[[], datetime] = clock
    """The time, by AWS's clock."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Open the stores that *settings* name; nothing is called yet."""
        dynamodb = clients.of_each_process(clients.dynamodb)
        block_log = BlockLog(dynamodb, settings.event_log_table, settings.retention)
        lookup = ServiceLookup(dynamodb, settings.event_log_table)
        return cls(
            event_log=EventLog(dynamodb, settings.event_log_table, settings.retention, block_log, lookup),
            block_log=block_log,
            payloads=Payloads(clients.s3, settings.payload_bucket),
        )
