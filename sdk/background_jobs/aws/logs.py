"""The logs of containers in CloudWatch Logs, read page by page."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import AwareDatetime, BaseModel

from background_jobs.aws.clients import reaching_aws
from background_jobs.core.errors import LogNotFound

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient


class LogLine(BaseModel):
    """One line that a container wrote."""

    at: AwareDatetime | None
    """When it was written; None where that is not known."""
    message: str


class LogPage(NamedTuple):
    """Some lines, oldest first, and the token of what comes after them."""

    lines: list[LogLine]
    next_token: str


class Logs:
    """The log streams of one account and region."""

    def __init__(self, logs: "CloudWatchLogsClient") -> None:
        self._logs = logs

    def has_group(self, name: str) -> bool:
        """Tell whether there is a log group of this name. Raises ClientError."""
        groups = self._logs.describe_log_groups(logGroupNamePrefix=name, limit=50)["logGroups"]
        return name in {group.get("logGroupName") for group in groups}

    @reaching_aws
    def page(self, location: str, after: str = "", since: datetime | None = None) -> LogPage:
        """Return the first lines at *location* (``<log group>/<log stream>``), or those *after* a token.

        The first are those *since* a moment, if that is given. A page may be empty; where no more lines have
        arrived, its token is *after* again. Raises LogNotFound.
        """
        # ECS names a stream in three parts (prefix, container, task); the group may have slashes as well.
        group, *stream = location.rsplit("/", 3)
        options: Any = {"nextToken": after} if after else {}
        if since is not None:
            options["startTime"] = int(since.timestamp() * 1000)
        try:
            response = self._logs.get_log_events(
                logGroupName=group, logStreamName="/".join(stream), startFromHead=True, **options
            )
        except self._logs.exceptions.ResourceNotFoundException as absent:
            raise LogNotFound(
                f"The log {location!r} is not there; its retention may have passed."
            ) from absent
        lines = [
            LogLine(at=datetime.fromtimestamp(event["timestamp"] / 1000, UTC), message=event["message"])
            for event in response["events"]
        ]
        return LogPage(lines, response["nextForwardToken"])
