"""The key schemas of the tables, for what reads and writes them, the stack that makes them, and the tests."""

from dataclasses import dataclass
from typing import Final

PARTITION_KEY: Final = "pk"
SORT_KEY: Final = "sk"
"""The key of both tables; all key attributes are strings, those of indexes included."""
EXPIRES_AT: Final = "expires_at"
"""The attribute by which DynamoDB deletes what has expired: seconds since the epoch."""

HISTORY_BY_TIME: Final = "by-time"
HISTORY_BY_JOB: Final = "by-job"
HISTORY_BY_JOB_AND_STATUS: Final = "by-job-and-status"
HISTORY_BY_CUSTOMER: Final = "by-customer"
HISTORY_BY_CUSTOMER_AND_STATUS: Final = "by-customer-and-status"
HISTORY_BY_STATUS: Final = "by-status"
HISTORY_BY_SERVICE: Final = "by-service"
HISTORY_INDEXES: Final = {
    HISTORY_BY_TIME: "week",
    HISTORY_BY_JOB: "job_name",
    HISTORY_BY_JOB_AND_STATUS: "job_status",
    HISTORY_BY_CUSTOMER: "customer",
    HISTORY_BY_CUSTOMER_AND_STATUS: "customer_status",
    HISTORY_BY_STATUS: "status",
    HISTORY_BY_SERVICE: "service",
}
"""The indexes of the read model over all orchestrations, and the partition key of each."""

HISTORY_SORT_KEY: Final = "started_at"
_HISTORY_CARRIED: Final = {
    HISTORY_BY_CUSTOMER: ("job_name",),
    HISTORY_BY_CUSTOMER_AND_STATUS: ("job_name",),
    HISTORY_BY_SERVICE: ("status",),
}
"""The attributes for filters that some indexes carry; one customer, or service, has few to filter."""


@dataclass(frozen=True, slots=True)
class IndexSchema:
    """A global secondary index; *carried* are the attributes that it has beside all keys."""

    name: str
    partition_key: str
    sort_key: str
    carried: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableSchema:
    """The schema of a table; *stream_view* is None where the table has no stream."""

    stream_view: str | None = None
    indexes: tuple[IndexSchema, ...] = ()
    partition_key: str = PARTITION_KEY
    sort_key: str = SORT_KEY
    time_to_live: str = EXPIRES_AT

    @property
    def key_attributes(self) -> tuple[str, ...]:
        """Return the attributes that are in any key, each once."""
        keys = [
            (self.partition_key, self.sort_key),
            *((index.partition_key, index.sort_key) for index in self.indexes),
        ]
        return tuple(dict.fromkeys(attribute for key in keys for attribute in key))


EVENT_LOG: Final = TableSchema(stream_view="NEW_IMAGE")
READ_MODEL: Final = TableSchema(
    indexes=tuple(
        IndexSchema(name, partition_key, HISTORY_SORT_KEY, _HISTORY_CARRIED.get(name, ()))
        for name, partition_key in HISTORY_INDEXES.items()
    )
)
