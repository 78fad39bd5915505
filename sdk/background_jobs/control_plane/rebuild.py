"""Folding the log again: it proves that the read model is right, and corrects a read model that is not."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice

from background_jobs.aws.read_model import CHUNKS_PER_COMMIT, ReadModelConflict
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.aggregate_jobs import complete_if_due
from background_jobs.core.fold import ChunkNumbers, FoldResult, fold
from background_jobs.core.read_model import ReadModel, Summary
from background_jobs.core.statuses import CHUNKS, StatusChunk

_BATCH_EVENTS = 1_000
_ATTEMPTS = 5


def fold_log(orchestration_id: str, stores: Stores) -> ReadModel:
    """Return the read model that follows from the log alone. Raises OrchestrationNotFound."""
    total = stores.event_log.read_started(orchestration_id).total
    model = ReadModel(
        Summary(orchestration_id=orchestration_id),
        {number: StatusChunk() for number in range(CHUNKS.count(total))},
    )
    events = stores.event_log.read_all(orchestration_id, total)
    while batch := list(islice(events, _BATCH_EVENTS)):
        model = fold(model, batch).model
    return model


def differences(orchestration_id: str, stores: Stores) -> list[str]:
    """Return how the stored read model differs from the log; an empty list if it does not."""
    right = fold_log(orchestration_id, stores)
    stored = _read_stored(right, stores)
    differing = [
        f"{name}: stored {getattr(stored.summary, name)}, should be {value}"
        for name, value in right.summary
        # The version counts commits, which are not in the log.
        if name != "version" and getattr(stored.summary, name) != value
    ]
    for name in ("chunks", "progress"):
        right_chunks, stored_chunks = getattr(right, name), getattr(stored, name)
        wrong = [number for number, chunk in right_chunks.items() if stored_chunks[number] != chunk]
        kind = "statuses" if name == "chunks" else name
        differing += [f"{kind} of instances from {CHUNKS.index(number)} on" for number in wrong]
    return differing


def rebuild(orchestration_id: str, stores: Stores, now: datetime) -> list[str]:
    """Correct the stored read model, and return what was wrong with it; append a completion that is due.

    Raises OrchestrationNotFound, or ReadModelConflict where the aggregator commits too often meanwhile.
    """
    wrong = differences(orchestration_id, stores)
    right = _correct(orchestration_id, stores, now) if wrong else fold_log(orchestration_id, stores)
    complete_if_due(right.summary, stores.event_log)
    return wrong


def _correct(orchestration_id: str, stores: Stores, now: datetime) -> ReadModel:
    for _ in range(_ATTEMPTS - 1):
        with suppress(ReadModelConflict):
            return _store(orchestration_id, stores, now)
    return _store(orchestration_id, stores, now)


def _store(orchestration_id: str, stores: Stores, now: datetime) -> ReadModel:
    # The version is read before the log, so that no later commit of the aggregator is overwritten.
    before = stores.read_model.read_summary(orchestration_id)
    right = fold_log(orchestration_id, stores)
    for portion in _portions(right):
        model = ReadModel(
            right.summary.model_copy(update={"version": before.version}),
            {number: right.chunks[number] for number in portion.statuses},
            {number: right.progress[number] for number in portion.progress},
        )
        before = stores.read_model.commit(FoldResult(model, (), (), changed=True), now)
    return right


def _read_stored(like: ReadModel, stores: Stores) -> ReadModel:
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
