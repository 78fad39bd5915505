"""Folding the log again: the proof that the read model is right, and the cure where it is not."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice

from background_jobs.aws.read_model import CHUNKS_PER_COMMIT, ReadModelConflict
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.aggregate_jobs import complete_if_due
from background_jobs.core.fold import ChunkNumbers, FoldResult, ReadModel, Summary, fold
from background_jobs.core.statuses import CHUNKS, StatusChunk

_BATCH = 1_000
_ATTEMPTS = 5


def rebuilt(orchestration_id: str, stores: Stores) -> ReadModel:
    """Return the read model that the log makes, from nothing. Raises OrchestrationNotFound."""
    total = stores.event_log.read_started(orchestration_id).total
    model = ReadModel(
        Summary(orchestration_id=orchestration_id),
        {number: StatusChunk() for number in range(CHUNKS.count(total))},
    )
    events = stores.event_log.read_all(orchestration_id, total)
    while batch := list(islice(events, _BATCH)):
        model = fold(model, batch).model
    return model


def differences(orchestration_id: str, stores: Stores) -> list[str]:
    """Return how the stored read model differs from what the log makes; nothing if it is right."""
    right = rebuilt(orchestration_id, stores)
    stored = _stored(right, stores)
    found = [
        f"{name}: stored {getattr(stored.summary, name)}, should be {value}"
        for name, value in right.summary
        # The version counts commits, which are not in the log.
        if name != "version" and getattr(stored.summary, name) != value
    ]
    for name in ("chunks", "progress"):
        ours, theirs = getattr(right, name), getattr(stored, name)
        wrong = [number for number, chunk in ours.items() if theirs[number] != chunk]
        said = "statuses" if name == "chunks" else name
        found += [f"{said} of instances from {CHUNKS.index(number)} on" for number in wrong]
    return found


def rebuild(orchestration_id: str, stores: Stores, now: datetime) -> list[str]:
    """Store what the log makes, and return what was wrong before; append a completion that is due.

    Raises OrchestrationNotFound, or ReadModelConflict where the orchestration moves too fast for it.
    """
    found = differences(orchestration_id, stores)
    right = _put_right(orchestration_id, stores, now) if found else rebuilt(orchestration_id, stores)
    complete_if_due(right.summary, stores.event_log)
    return found


def _put_right(orchestration_id: str, stores: Stores, now: datetime) -> ReadModel:
    for _ in range(_ATTEMPTS - 1):
        with suppress(ReadModelConflict):
            return _store(orchestration_id, stores, now)
    return _store(orchestration_id, stores, now)


def _store(orchestration_id: str, stores: Stores, now: datetime) -> ReadModel:
    # Before the log is read: what the aggregator folds from here on must not be overwritten.
    before = stores.read_model.read_summary(orchestration_id)
    right = rebuilt(orchestration_id, stores)
    for portion in _portions(right):
        model = ReadModel(
            right.summary.model_copy(update={"version": before.version}),
            {number: right.chunks[number] for number in portion.statuses},
            {number: right.progress[number] for number in portion.progress},
        )
        before = stores.read_model.commit(FoldResult(model, (), (), changed=True), now)
    return right


def _stored(like: ReadModel, stores: Stores) -> ReadModel:
    orchestration_id = like.summary.orchestration_id
    parts = [stores.read_model.read_chunks(orchestration_id, portion) for portion in _portions(like)]
    return ReadModel(
        parts[0].summary,
        {number: chunk for part in parts for number, chunk in part.chunks.items()},
        {number: chunk for part in parts for number, chunk in part.progress.items()},
    )


def _portions(model: ReadModel) -> Iterator[ChunkNumbers]:
    """Cut the chunks of *model* into portions of one transaction each; there is always one."""
    numbers = sorted(model.chunks)
    size = CHUNKS_PER_COMMIT // 2
    for first in range(0, max(1, len(numbers)), size):
        portion = frozenset(numbers[first : first + size])
        yield ChunkNumbers(portion, portion & model.progress.keys())
