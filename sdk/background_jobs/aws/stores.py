"""The AWS stores that a caller works with, made from its settings."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Self

from background_jobs.aws import clients
from background_jobs.aws.block_log import BlockLog
from background_jobs.aws.connections import Connection
from background_jobs.aws.container_stores import ContainerStores
from background_jobs.aws.event_log import EventLog
from background_jobs.aws.history import History
from background_jobs.aws.payloads import Payloads
from background_jobs.aws.read_model import ReadModelStore
from background_jobs.aws.schedule_log import ScheduleLog
from background_jobs.aws.service_lookup import ServiceLookup
from background_jobs.core.retention import Retention
from background_jobs.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores(ContainerStores):
    """The event log, its blocks, the read model, the history, the events of schedules, and the payloads."""

    service_lookup: ServiceLookup
    read_model: ReadModelStore
    history: History
    schedule_log: ScheduleLog
    retention: Retention
    """How long data are kept in them."""
    connection: Connection | None = None
    """Where AWS is, if that is not where the variables of the process say."""
    actor: str = ""
    """Who asks for changes, for the history; empty where that is not known."""

    @classmethod
    def of(cls, settings: Settings, connection: Connection | None = None) -> Self:
        """Open the stores that *settings* name; nothing is called yet."""
        retention = settings.retention
        dynamodb = clients.of_each_process(partial(clients.dynamodb, connection))
        block_log = BlockLog(dynamodb, settings.event_log_table, retention)
        lookup = ServiceLookup(dynamodb, settings.event_log_table)
        return cls(
            event_log=EventLog(dynamodb, settings.event_log_table, retention, block_log, lookup),
            block_log=block_log,
            service_lookup=lookup,
            read_model=ReadModelStore(dynamodb, settings.read_model_table, retention, lookup),
            history=History(dynamodb, settings.read_model_table, retention, lookup),
            schedule_log=ScheduleLog(dynamodb, settings.event_log_table, retention),
            payloads=Payloads(partial(clients.s3, connection), settings.payload_bucket),
            retention=retention,
            connection=connection,
        )

    def for_service(self, service: str) -> Self:
        """Return the same stores for the orchestrations of *service* alone, which takes no look-ups."""
        return replace(
            self,
            event_log=self.event_log.for_service(service),
            read_model=self.read_model.for_service(service),
        )
