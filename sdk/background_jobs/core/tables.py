"""The key schemas of the tables, for those who read and write them and for the stack that makes them."""

from typing import Final

PARTITION_KEY: Final = "pk"
SORT_KEY: Final = "sk"
"""The key of both tables; both attributes are strings."""
EXPIRES_AT: Final = "expires_at"
"""The attribute by which DynamoDB deletes what has expired: seconds since the epoch."""

HISTORY_BY_TIME: Final = "by-time"
HISTORY_BY_JOB: Final = "by-job"
HISTORY_BY_JOB_AND_STATUS: Final = "by-job-and-status"
HISTORY_BY_CUSTOMER: Final = "by-customer"
HISTORY_BY_CUSTOMER_AND_STATUS: Final = "by-customer-and-status"
HISTORY_BY_STATUS: Final = "by-status"
HISTORY_INDEXES: Final = {
    HISTORY_BY_TIME: "week",
    HISTORY_BY_JOB: "job_name",
    HISTORY_BY_JOB_AND_STATUS: "job_status",
    HISTORY_BY_CUSTOMER: "customer",
    HISTORY_BY_CUSTOMER_AND_STATUS: "customer_status",
    HISTORY_BY_STATUS: "status",
}
"""The indexes of the read model over all orchestrations, and the partition key of each."""

HISTORY_SORT_KEY: Final = "started_at"
HISTORY_FILTERED: Final = {HISTORY_BY_CUSTOMER: "job_name", HISTORY_BY_CUSTOMER_AND_STATUS: "job_name"}
"""What some indexes carry beside their keys, to be filtered by; one customer has few orchestrations."""
