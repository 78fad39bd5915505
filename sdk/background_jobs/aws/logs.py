"""The logs of containers in CloudWatch Logs, read page by page."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from background_jobs.aws.clients import reaching_aws
from background_jobs.core.errors import LogNotFound

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient


class StreamEvent(NamedTuple):
    """One line of a log stream."""

    stream: str
    milliseconds: int
    """When it was written, since the epoch."""
    text: str

    @property
    def at(self) -> datetime:
        """Return when it was written."""
        return datetime.fromtimestamp(self.milliseconds / 1000, UTC)


class Place(NamedTuple):
    """Where a container writes."""

    group: str
    stream: str

    @classmethod
    def parse(cls, location: str) -> "Place":
        """Read ``<log group>/<log stream>``; ECS names a stream in three parts: prefix, container, task."""
        # The group may have slashes as well.
        group, *stream = location.rsplit("/", 3)
        return cls(group, "/".join(stream))


class Logs:
    """The log streams of one account and region."""

    def __init__(self, logs: "CloudWatchLogsClient") -> None:
        self._logs = logs

    def has_group(self, name: str) -> bool:
        """Tell whether there is a log group of this name. Raises ClientError."""
        groups = self._logs.describe_log_groups(logGroupNamePrefix=name, limit=50)["logGroups"]
        return name in {group.get("logGroupName") for group in groups}

    @reaching_aws
    def groups(self) -> list[str]:
        """Return the names of all log groups."""
        pages = self._logs.get_paginator("describe_log_groups").paginate()
        return [group["logGroupName"] for page in pages for group in page["logGroups"]]

    @reaching_aws
    def read_group(self, group: str, since: int) -> Iterator[StreamEvent]:
        """Yield the lines of a log group from *since* (milliseconds since the epoch) on."""
        pages = self._logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
        for page in pages:
            for event in page["events"]:
                yield StreamEvent(event["logStreamName"], event["timestamp"], event["message"])

    @reaching_aws
    def read(self, location: str, since: int | None = None) -> Iterator[StreamEvent]:
        """Yield the lines at *location*, oldest first, from *since* (milliseconds since the epoch) on.

        Raises LogNotFound.
        """
        place, token = Place.parse(location), ""
        begin: Any = {} if since is None else {"startTime": since}
        while True:
            after: Any = {"nextToken": token} if token else {}
            response = self._get(location, startFromHead=True, **begin, **after)
            for event in response["events"]:
                yield StreamEvent(place.stream, event["timestamp"], event["message"])
            if response["nextForwardToken"] == token:
                return
            token = response["nextForwardToken"]

    @reaching_aws
    def read_last(self, location: str, count: int, until: int | None = None) -> list[StreamEvent]:
        """Return the last *count* lines at *location*, those before *until* if that is given.

        Raises LogNotFound.
        """
        place = Place.parse(location)
        end: Any = {} if until is None else {"endTime": until}
        response = self._get(location, startFromHead=False, limit=count, **end)
        return [
            StreamEvent(place.stream, event["timestamp"], event["message"]) for event in response["events"]
        ]

    @reaching_aws
    def read_several(
        self, group: str, streams: Sequence[str], since: int | None = None
    ) -> Iterator[StreamEvent]:
        """Yield the lines of up to 100 *streams* of a group together, oldest first. Raises LogNotFound."""
        begin: Any = {} if since is None else {"startTime": since}
        pages = self._logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, logStreamNames=list(streams), **begin
        )
        try:
            for page in pages:
                for event in page["events"]:
                    yield StreamEvent(event["logStreamName"], event["timestamp"], event["message"])
        except self._logs.exceptions.ResourceNotFoundException as absent:
            raise LogNotFound(f"A log of {group!r} is not there; its retention may have passed.") from absent

    def _get(self, location: str, **options: Any) -> Any:  # noqa: ANN401 -- the answer of AWS
        group, stream = Place.parse(location)
        try:
            return self._logs.get_log_events(logGroupName=group, logStreamName=stream, **options)
        except self._logs.exceptions.ResourceNotFoundException as absent:
            raise LogNotFound(
                f"The log {location!r} is not there; its retention may have passed."
            ) from absent
