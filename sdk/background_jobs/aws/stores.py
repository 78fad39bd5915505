"""The AWS stores that a caller works with, made from its settings."""

from dataclasses import dataclass
from typing import Self

from background_jobs.aws import clients
from background_jobs.aws.event_log import EventLog
from background_jobs.aws.history import History
from background_jobs.aws.payloads import Payloads
from background_jobs.aws.read_model import ReadModelStore
from background_jobs.aws.schedule_log import ScheduleLog
from background_jobs.core.retention import Retention
from background_jobs.settings import Settings


@dataclass(frozen=True, slots=True)
class Stores:
    """The event log, the read model, the history, the events of schedules, and the payloads."""

    event_log: EventLog
    read_model: ReadModelStore
    history: History
    schedule_log: ScheduleLog
    payloads: Payloads
    retention: Retention
    """How long data are kept in them."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Open the stores that *settings* name; nothing is called yet."""
        retention = settings.retention
        return cls(
            event_log=EventLog(clients.dynamodb(), settings.event_log_table, retention),
            read_model=ReadModelStore(clients.dynamodb(), settings.read_model_table, retention),
            history=History(clients.dynamodb(), settings.read_model_table, retention),
            schedule_log=ScheduleLog(clients.dynamodb(), settings.event_log_table, retention),
            payloads=Payloads(clients.s3, settings.payload_bucket),
            retention=retention,
        )
