"""Closing instances that have no outcome when their container or execution is gone: none stays InProgress."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Annotated, Any, Final, NamedTuple
from uuid import uuid4

from pydantic import BaseModel, BeforeValidator, Field

from background_jobs.aws.block_log import BlockLog
from background_jobs.aws.stores import Stores
from background_jobs.aws.throttling import outlast_throttling
from background_jobs.core.blocks import (
    Block,
    Contents,
    Fault,
    InstanceRange,
    cut_bodies,
    ranges_of_orchestration,
    ranges_of_share,
    unfinished,
)
from background_jobs.core.claims import settle
from background_jobs.core.events import (
    LOG_PARTITIONS,
    ClaimAnnounced,
    InstancesClaimed,
    JobError,
    JobErrored,
    JobEvent,
    JobStarted,
    OrchestrationStarted,
)
from background_jobs.core.limits import TRANSACTION_ITEMS
from background_jobs.core.ownership import Steps, claimed_ranges, close, take_over, without_gaps
from background_jobs.core.ranges import InclusiveRange
from background_jobs.core.task_failure import NOTHING_SAID, ORCHESTRATION_TIMEOUT, LastWords, task_failure
from background_jobs.orchestration_service.stored_params import ParamsReader, StoredParams

UNREADABLE: Final = "UnreadableOutcome"
"""The type of error of an instance whose outcome may be in the log, where nobody can read it."""
CANCELLED: Final = "Cancelled"
"""The type of error of an instance whose orchestration was cancelled."""
_OWN_ERRORS: Final = frozenset({CANCELLED, "ExecutionEnded"})
"""Errors that end_orchestration gives; all others are those of Step Functions and ECS."""
_WINDOW_BYTES: Final = 16 * 1024 * 1024
"""The params and blocks of the ranges that are closed together, at most, unless one range has more."""
_WINDOWS: Final = 4
"""How many such windows are closed at once."""


class TaskError(BaseModel):
    """The error of a failed task, as Step Functions reports it."""

    error: str = Field(alias="Error")
    cause: str = Field(default="", alias="Cause")


def cancelled_error(reason: str) -> TaskError:
    """Return the error of what was cancelled for *reason*, which may be empty."""
    return TaskError(Error=CANCELLED, Cause=reason or "The orchestration was cancelled.")


def _parse_indices(value: object) -> object:
    return InclusiveRange.parse(value) if isinstance(value, str) else value


class CloseRequest(BaseModel):
    """A request of the state machine: close a share whose container is gone, or a whole orchestration."""

    orchestration_id: str
    service: str | None = None
    """The service of the orchestration; looked up where it is not given."""
    indices: Annotated[InclusiveRange | None, BeforeValidator(_parse_indices)] = None
    """First and last index of the share, given as ``0-249``; None for the whole orchestration."""
    left_before: int | None = None
    """How many instances of the share had no outcome when its launches were counted last; None at first."""
    error: TaskError | None = None


def close_unfinished(
    request: CloseRequest,
    stores: Stores,
    is_over: Callable[[], bool] = lambda: False,
    last_words: LastWords = NOTHING_SAID,
) -> int:
    """Append an Errored outcome for each instance that has none, and return how many those were.

    The errors quote *last_words*, those of the container that failed.

    The log is read and closed a few partitions at a time, whatever the size of the orchestration. Throttling
    is waited out until *is_over* says that there is no more time. Raises OrchestrationNotFound.
    """
    orchestration_id = request.orchestration_id
    service = request.service or stores.service_lookup.find(orchestration_id)
    stores = stores.for_service(service)
    if request.indices is None and stores.read_model.read_summary(orchestration_id).all_final:
        return 0
    started, cancellation = outlast_throttling(
        lambda: stores.event_log.read_started_and_cancelled(orchestration_id), is_over
    )
    if not started.total:
        return 0
    failure = request.error
    if failure is not None and cancellation is not None:
        # What failed after that, or was given up for it, is not why these instances have no outcome.
        failure = cancelled_error(cancellation.reason)
    return _Closing(started, failure, stores, is_over, last_words).close(request.indices)


class _Open(NamedTuple):
    """A range with instances that have no outcome, and what was read of it."""

    range: InstanceRange
    blocks: Sequence[Block]
    params: dict[int, StoredParams]
    """Of the instances that have no outcome."""
    fault: str = ""
    """Why a part of its blocks cannot be read; empty where all can."""

    @property
    def bytes(self) -> int:
        return sum(len(block.body) for block in self.blocks) + sum(
            params.inline_bytes for params in self.params.values()
        )


@dataclass(frozen=True, slots=True)
class _Closing:
    """Gives an outcome to the unfinished instances of one orchestration, by taking over their ranges."""

    started: OrchestrationStarted
    failure: TaskError | None
    stores: Stores
    is_over: Callable[[], bool]
    last_words: LastWords

    def close(self, indices: InclusiveRange | None) -> int:
        """Close the share of *indices*, or everything."""
        block_log, owner = self.stores.block_log.until(self.is_over), f"closer {uuid4()}"
        with_claimed = indices is None

        def close_window(window: Sequence[_Open]) -> int:
            return sum(
                block_log.run_all(self._steps(part, owner, with_claimed=with_claimed) for part in window)
            )

        if indices is None:
            parts = self._find_open(InclusiveRange(0, self.started.total - 1), with_claimed=True)
        else:
            parts = self._find_open_of_share(indices, block_log, owner)
        closed = 0
        with ThreadPoolExecutor(_WINDOWS) as pool:
            running: list[Future[int]] = []
            for window in _windows(parts):
                if len(running) == _WINDOWS:
                    closed += running.pop(0).result()
                running.append(pool.submit(close_window, window))
            return closed + sum(future.result() for future in running)

    def _find_open_of_share(
        self, indices: InclusiveRange, block_log: BlockLog, owner: str
    ) -> Iterator[_Open]:
        """Yield the same of a share, and of what it has claimed; what was claimed from it is another's."""
        home = next(ranges_of_share(self.started.service, self.started.orchestration_id, *indices))
        if self.started.may_move:
            # Its container must announce no other claim, also if the share itself is done.
            block_log.run(take_over(home, owner, always=True))
        yield from self._find_open(indices, with_claimed=False)
        for claimed in read_claimed(home, block_log, owner):
            yield from self._find_open(InclusiveRange(claimed.first, claimed.last), with_claimed=False)

    def _find_open(self, indices: InclusiveRange, *, with_claimed: bool) -> Iterator[_Open]:
        """Yield the ranges that have unfinished instances, as the log tells it now, with their params.

        *indices* are those of everything *with_claimed*, or else those of a share or of one range.
        """
        service, orchestration_id = self.started.service, self.started.orchestration_id
        if with_claimed:
            ranges = ranges_of_orchestration(
                service, orchestration_id, self.started.total, self.started.parallelism
            )
        else:
            ranges = ranges_of_share(service, orchestration_id, *indices)
        pieces = (piece.numbers() for piece in LOG_PARTITIONS.split(indices))
        block_log = self.stores.block_log.until(self.is_over)
        partitions = block_log.read_pieces(service, orchestration_id, pieces)
        params = ParamsReader(self.started, self.stores.payloads)
        by_partition = groupby(ranges, lambda part: part.partition)
        for (_, parts), (_, blocks) in zip(by_partition, partitions, strict=True):
            of_range: dict[InstanceRange, list[Block]] = {}
            for block in blocks:
                of_range.setdefault(block.range, []).append(block)
            for part in parts:
                known = list(without_gaps(of_range.get(part, [])))
                all_of_it = known + (list(_claimed_blocks(part, known, of_range)) if with_claimed else [])
                contents = [block.read() for block in all_of_it]
                if left := _left(part, known, contents, with_claimed=with_claimed):
                    faults = [
                        _locate(block, faults) for block, (_, faults) in zip(all_of_it, contents, strict=True)
                    ]
                    stored = {index: params.read_stored(index) for index in left}
                    yield _Open(part, known, stored, next(filter(None, faults), ""))

    def _steps(self, part: _Open, owner: str, *, with_claimed: bool) -> Steps[int]:
        def outcomes(left: Sequence[int], blocks: Sequence[Block]) -> Iterator[bytes]:
            starts = {
                event.index: event for event in readable_events(blocks) if isinstance(event, JobStarted)
            }
            error = _reason(self.failure, part.fault, self.started, self.last_words)
            return cut_bodies(
                self._outcome(index, error, part.params[index], starts.get(index)) for index in left
            )

        return _continue(close(part.range, owner, outcomes, with_claimed=with_claimed), part.blocks)

    def _outcome(
        self, index: int, error: JobError, params: StoredParams, start: JobStarted | None
    ) -> JobErrored:
        return JobErrored(
            orchestration_id=self.started.orchestration_id,
            at=datetime.now(UTC),
            index=index,
            attempts=start.attempt if start else 0,
            started_at=start.at if start else None,
            job_name=self.started.job_name,
            error=error,
            log=self.last_words.log,
            **params.fields(),
        )


def _continue(steps: Steps[int], blocks: Sequence[Block]) -> Steps[int]:
    """Carry out *steps* from its first append on, given the answer to the read that it begins with.

    That answer may be old: then another's block is found in place of the first append, and it reads on.
    """
    steps.send(None)
    answer: Any = blocks
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as end:
            closed: int = end.value
            return closed
        answer = yield step


def read_claimed(home: InstanceRange, block_log: BlockLog, owner: str) -> list[InstanceRange]:
    """Return the ranges that a share has claimed, given the range in which it announced that.

    A claim that was announced and not made is made, if it still can be: else it may be made at any time.
    """
    announced = [
        event
        for event in readable_events(without_gaps(block_log.read(home)))
        if isinstance(event, ClaimAnnounced)
    ]
    return [
        home.part(claim.first, claim.last)
        for claim in announced
        if block_log.run(settle(home, claim, f"claimer {owner}"))
    ]


def _claimed_blocks(
    part: InstanceRange, known: Sequence[Block], of_range: Mapping[InstanceRange, Sequence[Block]]
) -> Iterator[Block]:
    """Yield the blocks of the ranges that were claimed from one, given its own."""
    for claimed in claimed_ranges(part, known):
        blocks = list(without_gaps(of_range.get(claimed, [])))
        yield from blocks
        yield from _claimed_blocks(claimed, blocks, of_range)


def _left(
    part: InstanceRange, known: Sequence[Block], contents: Sequence[Contents[JobEvent]], *, with_claimed: bool
) -> list[int]:
    """Return the instances of a range without an outcome, with or without those that were claimed from it."""
    if not with_claimed:
        return unfinished(part, (event for events, _ in contents[: len(known)] for event in events))
    events = (event for events, _ in contents for event in events if not isinstance(event, InstancesClaimed))
    return unfinished(part, events)


def _windows(parts: Iterable[_Open]) -> Iterator[list[_Open]]:
    """Cut *parts* into windows whose first blocks fit into one transaction."""
    window: list[_Open] = []
    size = 0
    for part in parts:
        if window and (len(window) == TRANSACTION_ITEMS or size + part.bytes > _WINDOW_BYTES):
            yield window
            window, size = [], 0
        window.append(part)
        size += part.bytes
    if window:
        yield window


def readable_events(blocks: Iterable[Block]) -> Iterator[JobEvent]:
    """Yield the events of *blocks*, without what cannot be read."""
    return (event for block in blocks for event in block.readable_events())


def _locate(block: Block, faults: Sequence[Fault]) -> str:
    """Return where the first of *faults* is, and what it is; an empty text where there is none."""
    return f"{block.key.sort} in {block.key.partition}: {faults[0]}" if faults else ""


def _reason(
    failure: TaskError | None, fault: str, started: OrchestrationStarted, last_words: LastWords
) -> JobError:
    if failure is None and fault:
        return JobError(
            type=UNREADABLE,
            message="Its container ended as if this instance had an outcome, but the event log has none that "
            f"can be read ({fault}). If the container has a later release than the functions, deploy these; "
            "else its own log may tell what the job did. `background-jobs rerun` runs the instance again.",
        )
    if failure is None:
        return JobError(
            type="NotRun",
            message="The execution ended before this instance had an outcome, though no container failed. "
            "A container that ends with status 0 must have called run_e11_job([...]): does the command of "
            "the image run its main, and does nothing before that call end the process?",
        )
    if failure.error in _OWN_ERRORS:
        return JobError(type=failure.error, message=failure.cause)
    error = task_failure(failure.error, failure.cause, last_words)
    if started.deadline is None or datetime.now(UTC) < started.deadline:
        return error
    ended = f"The orchestration's timeout ended at {started.deadline}."
    return JobError(type=ORCHESTRATION_TIMEOUT, message=f"{ended} {error.message}", traceback=error.traceback)
