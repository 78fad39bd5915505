"""Records of a stream of DynamoDB, read again by their numbers, as Lambda hands them to functions."""

import base64
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from background_jobs.aws.clients import reaching_aws
from background_jobs.core.errors import BackgroundJobsError
from background_jobs.core.failed_deliveries import StreamBatch

_EMPTY_ANSWERS: Final = 20
"""So many answers without a record may follow each other in a shard that has more of them."""


class RecordsExpired(BackgroundJobsError):
    """The stream does not have these records any more; it keeps them for 24 hours."""

    def __init__(self, shard: str) -> None:
        self.shard = shard
        super().__init__(
            f"The stream keeps records for 24 hours, and those of {shard} are gone. "
            "The log has their events: mend each orchestration with `background-jobs rebuild ID`."
        )


class StreamRecords:
    """Reads what a message of the failure queue only points to."""

    def __init__(self, streams: Any) -> None:  # noqa: ANN401 -- a client of the streams of DynamoDB
        self._streams = streams

    @reaching_aws
    def read(self, batch: StreamBatch) -> Iterator[dict[str, Any]]:
        """Yield the records from the first to the last of *batch*. Raises RecordsExpired without the last."""
        for record in self._from_first(batch):
            number = record["dynamodb"]["SequenceNumber"]
            if int(number) > int(batch.last):
                return
            yield _as_lambda_has_it(record)
            if int(number) == int(batch.last):
                return
        raise RecordsExpired(batch.shard)

    def _from_first(self, batch: StreamBatch) -> Iterator[dict[str, Any]]:
        exceptions = self._streams.exceptions
        try:
            iterator = self._streams.get_shard_iterator(
                StreamArn=batch.stream,
                ShardId=batch.shard,
                ShardIteratorType="AT_SEQUENCE_NUMBER",
                SequenceNumber=batch.first,
            ).get("ShardIterator")
            empty = 0
            # A shard that is written to has no end.
            while iterator and empty < _EMPTY_ANSWERS:
                answer = self._streams.get_records(ShardIterator=iterator)
                yield from answer["Records"]
                empty = 0 if answer["Records"] else empty + 1
                iterator = answer.get("NextShardIterator")
        except (exceptions.TrimmedDataAccessException, exceptions.ResourceNotFoundException) as gone:
            raise RecordsExpired(batch.shard) from gone


def _as_lambda_has_it(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record as an event of Lambda spells it: binary in base64, times in seconds."""
    event: dict[str, Any] = _plain(record)
    if identity := record.get("userIdentity"):
        event["userIdentity"] = {"type": identity["Type"], "principalId": identity["PrincipalId"]}
    return event


def _plain(value: Any) -> Any:  # noqa: ANN401 -- any attribute
    match value:
        case dict():
            return {name: _plain(part) for name, part in value.items()}
        case list():
            return [_plain(part) for part in value]
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return value.timestamp()
    return value
