"""The event log in DynamoDB: appends under the condition that a key is free, and reads by range."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeVar

from background_jobs.aws.block_log import BlockLog
from background_jobs.aws.clients import reaching_aws
from background_jobs.aws.log_items import (
    KEY_IS_FREE,
    holder_of_id,
    kick_off_puts,
    read_item,
    started_from_item,
    to_item,
)
from background_jobs.aws.service_lookup import ServiceLookup
from background_jobs.aws.transactions import (
    CONDITION_FAILED,
    MAX_ATTEMPTS,
    RETRYABLE,
    cancellation_reasons,
    wait_before_retry,
)
from background_jobs.core.blocks import Block
from background_jobs.core.errors import EventConflict, OrchestrationNotFound, UnreadableEvent
from background_jobs.core.events import (
    CANCELLED,
    COMPLETED,
    LOG_PARTITIONS,
    RERUN,
    SKIPPED,
    STARTED,
    ClaimAnnounced,
    ContainerStarted,
    Event,
    EventKey,
    InstancesClaimed,
    JobAttemptFailed,
    JobCompleted,
    JobErrored,
    JobEvent,
    JobOutcome,
    JobStarted,
    LaterEvent,
    LogEvent,
    OrchestrationCancelled,
    OrchestrationCompleted,
    OrchestrationEvent,
    OrchestrationStarted,
    RerunRequested,
    ShareDelayed,
    StageSkipped,
    log_partition,
)
from background_jobs.core.ranges import InclusiveRange
from background_jobs.core.retention import Retention
from background_jobs.core.tables import PARTITION_KEY, SORT_KEY
from background_jobs.core.views.log_parts import LogPart, delays_of, find_log_parts, is_of_service
from background_jobs.core.views.waits import Containers

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_E = TypeVar("_E", bound=JobEvent)
_T = TypeVar("_T", bound=LogEvent)


class Told(NamedTuple, Generic[_T]):
    """What the log tells, as far as this release can read it; what else cannot be read is left out."""

    events: list[_T]
    later: list[LaterEvent]
    """The events that a later release wrote."""


class EventLog:
    """The append-only table of events; nothing here can update or delete.

    It finds out to which service an orchestration belongs, unless it is bound to one by `for_service`.
    """

    def __init__(  # noqa: PLR0913, PLR0917 -- a table, how long it keeps events, and how they are found
        self,
        dynamodb: "DynamoDBClient",
        table: str,
        retention: Retention,
        blocks: BlockLog,
        lookup: ServiceLookup,
        service: str | None = None,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._retention = retention
        self._blocks = blocks
        self._lookup = lookup
        self._service = service

    def for_service(self, service: str) -> Self:
        """Return the same log for the orchestrations of *service* alone, which takes no look-ups."""
        return type(self)(self._dynamodb, self._table, self._retention, self._blocks, self._lookup, service)

    @reaching_aws
    def append_kick_off(self, started: OrchestrationStarted) -> OrchestrationStarted:
        """Make a kick-off real: append *started*, and to which service the orchestration belongs; or neither.

        Returns the event that holds the id: *started*, or that of an earlier kick-off in the same service.
        Raises OrchestrationOfOtherService.
        """
        puts = kick_off_puts(self._table, started, self._retention)
        for attempt in range(MAX_ATTEMPTS):
            try:
                self._dynamodb.transact_write_items(TransactItems=puts)
            except self._dynamodb.exceptions.TransactionCanceledException as cancelled:
                codes = cancellation_reasons(cancelled)
                if CONDITION_FAILED in codes:
                    reasons: Any = cancelled.response.get("CancellationReasons", [])
                    return holder_of_id(started, *reasons)
                if attempt == MAX_ATTEMPTS - 1 or not RETRYABLE.intersection(codes):
                    raise
                wait_before_retry(attempt)
            else:
                break
        self._lookup.remember(started.orchestration_id, started.service)
        return started

    @reaching_aws
    def append(self, event: OrchestrationEvent) -> None:
        """Append *event*; appending the same event twice is harmless.

        Raises EventConflict if another event already holds its key, or OrchestrationNotFound.
        """
        service = self._find_service(event.orchestration_id)
        key = EventKey(log_partition(service, event.orchestration_id), event.sort_key)
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item=to_item(key, event, self._retention.of(service)),
                ConditionExpression=KEY_IS_FREE,
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as taken:
            if self._read(event.orchestration_id, event.sort_key) != event:
                raise EventConflict(*key) from taken

    def read_started(self, orchestration_id: str) -> OrchestrationStarted:
        """Return the event that made the kick-off real. Raises OrchestrationNotFound or UnreadableEvent."""
        item = self._read_item(orchestration_id, STARTED)
        if item is None:
            raise OrchestrationNotFound(orchestration_id)
        return started_from_item(item)

    def read_started_and_cancelled(
        self, orchestration_id: str
    ) -> tuple[OrchestrationStarted, OrchestrationCancelled | None]:
        """Return the kick-off, and the cancellation if there is one. Raises as `read_started` does."""
        events = self._query(orchestration_id, CANCELLED, STARTED)
        cancellation = next((event for event in events if isinstance(event, OrchestrationCancelled)), None)
        for event in events:
            if isinstance(event, OrchestrationStarted):
                return event, cancellation
        return self.read_started(orchestration_id), cancellation

    def read_started_and_end(
        self, orchestration_id: str
    ) -> tuple[OrchestrationStarted, OrchestrationCancelled | OrchestrationCompleted | None]:
        """Return the kick-off, and the cancellation or completion, if any. Raises OrchestrationNotFound."""
        started, cancellation = self.read_started_and_cancelled(orchestration_id)
        return started, cancellation or self.read_completed(orchestration_id)

    def read_outcomes(self, orchestration_id: str, first: int, last: int) -> Iterator[JobOutcome]:
        """Yield the outcomes of instances *first* to *last*, in the order of their indices."""
        return self._read_kind(orchestration_id, _pieces(first, last), JobCompleted, JobErrored)

    def read_outcomes_at(self, orchestration_id: str, indices: Iterable[int]) -> Iterator[JobOutcome]:
        """Yield the outcomes of the instances at *indices*, which ascend; only their partitions are read.

        Raises UnreadableEvent, after all others, where a later release wrote the outcome of one of them.
        """
        later: list[LaterEvent] = []
        pieces = LOG_PARTITIONS.group(indices)
        outcomes: Iterator[JobOutcome] = self._read_kind(
            orchestration_id, pieces, JobCompleted, JobErrored, later=later
        )
        yield from outcomes
        if later:
            raise UnreadableEvent(
                orchestration_id,
                f"{later[0].type} of instance {later[0].instance}",
                str(later[0]),
                "the instance is to be run again",
            )

    def read_starts(self, orchestration_id: str, first: int, last: int) -> Iterator[JobStarted]:
        """Yield the starts of instances *first* to *last*, in the order of their indices and attempts."""
        return self._read_kind(orchestration_id, _pieces(first, last), JobStarted)

    def read_failed_attempts(
        self, orchestration_id: str, first: int, last: int
    ) -> Iterator[JobAttemptFailed]:
        """Yield the failed attempts of instances *first* to *last*, in the order of indices and attempts."""
        return self._read_kind(orchestration_id, _pieces(first, last), JobAttemptFailed)

    def read_failed_attempts_at(
        self, orchestration_id: str, indices: Iterable[int]
    ) -> Iterator[JobAttemptFailed]:
        """Yield the failed attempts of the instances at *indices*, which ascend; in their order."""
        return self._read_kind(orchestration_id, LOG_PARTITIONS.group(indices), JobAttemptFailed)

    def read_cancelled(self, orchestration_id: str) -> OrchestrationCancelled | None:
        """Return the cancellation of the orchestration, if somebody asked for one."""
        event = self._read(orchestration_id, CANCELLED)
        return event if isinstance(event, OrchestrationCancelled) else None

    def read_completed(self, orchestration_id: str) -> OrchestrationCompleted | None:
        """Return the completion of the orchestration, if every instance has its outcome."""
        event = self._read(orchestration_id, COMPLETED)
        return event if isinstance(event, OrchestrationCompleted) else None

    def read_skipped(self, orchestration_id: str) -> StageSkipped | None:
        """Return the event that says why the next stage was not started, if it was skipped."""
        event = self._read(orchestration_id, SKIPPED)
        return event if isinstance(event, StageSkipped) else None

    def read_reruns(self, orchestration_id: str) -> list[RerunRequested]:
        """Return the reruns that were requested, oldest first; some may not have started."""
        events = self._query(orchestration_id, RERUN, f"{RERUN}~")
        requests = [event for event in events if isinstance(event, RerunRequested)]
        return sorted(requests, key=lambda request: request.at)

    def read_all(self, orchestration_id: str, total: int) -> Iterator[Event]:
        """Yield every event of an orchestration of *total* instances."""
        yield from self._query(orchestration_id, " ", "~")
        service = self._find_service(orchestration_id)
        yield from self._blocks.read_events(service, orchestration_id, 0, total - 1)

    def read_instance(self, orchestration_id: str, index: int) -> Told[JobEvent]:
        """Return everything that happened to one instance, in the order in which it was appended.

        Claims are among that; the claims that its container announced are not.
        """
        service = self._find_service(orchestration_id)
        told: Told[JobEvent] = Told([], [])
        for _, blocks in self._blocks.read_pieces(service, orchestration_id, [[index]]):
            for contents in map(Block.read, blocks):
                told.later.extend(later for later in contents.later if later.instance == index)
                for event in contents.events:
                    last = event.last if isinstance(event, InstancesClaimed) else event.index
                    if event.index <= index <= last and not isinstance(event, ClaimAnnounced):
                        told.events.append(event)
        return told

    def read_containers(self, orchestration_id: str) -> Containers:
        """Return the launches and ends of containers, and the delays of launches."""
        return Containers.among(self._query(orchestration_id, "container#", "delay#~"))

    def read_launches(self, orchestration_id: str) -> list[ContainerStarted]:
        """Return the launches of all containers, by share and launch."""
        return list(self.read_containers(orchestration_id).started)

    def read_launches_of(self, orchestration_id: str, index: int) -> list[ContainerStarted]:
        """Return the launches of the containers that had one instance; the one that has it now comes last."""
        launches = self.read_launches(orchestration_id)
        others = [
            event.hedged_by if isinstance(event, JobCompleted) else event.share
            for event in self.read_instance(orchestration_id, index).events
            if isinstance(event, InstancesClaimed | JobCompleted)
        ]
        own = [launch for launch in launches if launch.first <= index <= launch.last]
        return own + [launch for share in others for launch in launches if launch.share == share]

    def read_log_parts(self, orchestration_id: str) -> list[LogPart]:
        """Return where containers wrote, of those that tell, in the order in which they began."""
        containers = self.read_containers(orchestration_id)
        return self._own_parts(orchestration_id, containers.started, containers, containers.delays)

    def read_log_parts_of(self, orchestration_id: str, index: int) -> list[LogPart]:
        """Return the same of the containers that had one instance, or were to have it and died before."""
        containers = self.read_containers(orchestration_id)
        launches = self.read_launches_of(orchestration_id, index)
        delays = delays_of(index, containers.delays, self.read_started(orchestration_id))
        return self._own_parts(orchestration_id, launches, containers, delays)

    def _own_parts(
        self,
        orchestration_id: str,
        launches: Sequence[ContainerStarted],
        containers: Containers,
        delays: Sequence[ShareDelayed],
    ) -> list[LogPart]:
        service = self._find_service(orchestration_id)
        parts = find_log_parts(launches, containers.started, containers.ended, delays)
        return [part for part in parts if is_of_service(part.location, service)]

    def read_orchestration(self, orchestration_id: str) -> Told[OrchestrationEvent]:
        """Return what happened to the orchestration as a whole and to its containers, by time."""
        told = self._query_told(orchestration_id, " ", "~")
        return told._replace(events=sorted(told.events, key=lambda event: event.at))

    def read_failed_and_later(self, orchestration_id: str, total: int) -> tuple[int, list[LaterEvent]]:
        """Return how many attempts were followed by another, and what later releases tell of instances."""
        service, pieces = self._find_service(orchestration_id), _pieces(0, total - 1)
        failed, later = 0, []
        for _, blocks in self._blocks.read_pieces(service, orchestration_id, pieces):
            for block in blocks:
                if block.may_tell_of([JobAttemptFailed]) or block.may_hold_later():
                    contents = block.read()
                    failed += sum(isinstance(event, JobAttemptFailed) for event in contents.events)
                    later += contents.later
        return failed, later

    def find_unfinished(self, orchestration_id: str, first: int, last: int) -> list[int]:
        """Return the indices from *first* to *last* that have no outcome yet."""
        ended = {outcome.index for outcome in self.read_outcomes(orchestration_id, first, last)}
        return [index for index in range(first, last + 1) if index not in ended]

    def _find_service(self, orchestration_id: str) -> str:
        return self._lookup.find(orchestration_id) if self._service is None else self._service

    def _read_kind(
        self,
        orchestration_id: str,
        pieces: Iterable[Sequence[int]],
        *kinds: type[_E],
        later: list[LaterEvent] | None = None,
    ) -> Iterator[_E]:
        """Yield the events of some kinds that tell of the instances of *pieces*, in their order.

        Where an instance has none that can be read, one that a later release wrote is added to *later*.
        """
        names = {kind.__name__ for kind in kinds}
        service = self._find_service(orchestration_id)
        for piece, blocks in self._blocks.read_pieces(service, orchestration_id, pieces):
            instances = frozenset(piece)
            contents = [block.read() for block in blocks if block.may_tell_of(kinds)]
            events = [
                event
                for part in contents
                for event in part.events
                if isinstance(event, kinds) and event.index in instances
            ]
            # Sorting keeps the order in which the events of one instance were appended.
            yield from sorted(events, key=lambda event: event.index)
            if later is not None:
                left = instances.difference(event.index for event in events)
                of_kinds = (event for part in contents for event in part.later if event.type in names)
                later += [event for event in of_kinds if event.instance in left]

    def _query(self, orchestration_id: str, low: str, high: str) -> list[OrchestrationEvent]:
        return self._query_told(orchestration_id, low, high).events

    @reaching_aws
    def _query_told(self, orchestration_id: str, low: str, high: str) -> Told[OrchestrationEvent]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=f"{PARTITION_KEY} = :partition AND {SORT_KEY} BETWEEN :low AND :high",
            ExpressionAttributeValues={
                ":partition": {"S": log_partition(self._find_service(orchestration_id), orchestration_id)},
                ":low": {"S": low},
                ":high": {"S": high},
            },
            ConsistentRead=True,
        )
        told: Told[OrchestrationEvent] = Told([], [])
        for contents in (read_item(item) for page in pages for item in page["Items"]):
            told.events.extend(event for event in contents.events if isinstance(event, OrchestrationEvent))
            told.later.extend(contents.later)
        return told

    def _read(self, orchestration_id: str, sort: str) -> OrchestrationEvent | None:
        item = self._read_item(orchestration_id, sort)
        events = read_item(item).events if item else ()
        return next((event for event in events if isinstance(event, OrchestrationEvent)), None)

    @reaching_aws
    def _read_item(self, orchestration_id: str, sort: str) -> Mapping[str, Any] | None:
        partition = log_partition(self._find_service(orchestration_id), orchestration_id)
        response = self._dynamodb.get_item(
            TableName=self._table,
            Key={PARTITION_KEY: {"S": partition}, SORT_KEY: {"S": sort}},
            ConsistentRead=True,
        )
        return response.get("Item")


def _pieces(first: int, last: int) -> Iterator[Sequence[int]]:
    """Return the instances *first* to *last*, cut by partition; none where *last* is before *first*."""
    parts = LOG_PARTITIONS.split(InclusiveRange(first, last)) if first <= last else ()
    return (part.numbers() for part in parts)
