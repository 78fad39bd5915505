"""Folding the log again: the proof that the read model is right, and the cure where it is not."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from background_jobs.aws.read_model import CHUNKS_PER_COMMIT
from background_jobs.aws.rooms import Rooms
from background_jobs.control_plane.aggregate import complete_if_due
from background_jobs.core.fold import Folded, ReadModel, Summary, fold
from background_jobs.core.statuses import CHUNK_SIZE, StatusChunk

_BATCH = 1_000


def rebuilt(orchestration_id: str, rooms: Rooms) -> ReadModel:
    """Return the read model that the log makes, from nothing. Raises OrchestrationNotFound."""
    total = rooms.event_log.started(orchestration_id).total
    model = ReadModel(
        Summary(orchestration_id=orchestration_id),
        {number: StatusChunk() for number in range(-(-total // CHUNK_SIZE))},
    )
    events = rooms.event_log.everything(orchestration_id, total)
    while batch := list(islice(events, _BATCH)):
        model = fold(model, batch).model
    return model


def differences(orchestration_id: str, rooms: Rooms) -> list[str]:
    """Return how the stored read model differs from what the log makes; nothing if it is right."""
    right = rebuilt(orchestration_id, rooms)
    stored = _stored(right, rooms)
    found = [
        f"{name}: stored {getattr(stored.summary, name)}, should be {value}"
        for name, value in right.summary
        # The version counts commits, which are not in the log.
        if name != "version" and getattr(stored.summary, name) != value
    ]
    wrong = [number for number, chunk in right.chunks.items() if stored.chunks[number] != chunk]
    return found + [f"statuses of instances from {number * CHUNK_SIZE} on" for number in wrong]


def rebuild(orchestration_id: str, rooms: Rooms, now: datetime) -> list[str]:
    """Store what the log makes, and return what was wrong before; append a completion that is due.

    Raises OrchestrationNotFound or ReadModelConflict.
    """
    found = differences(orchestration_id, rooms)
    right = rebuilt(orchestration_id, rooms)
    if found:
        for portion in _portions(right):
            version = rooms.read_model.summary(orchestration_id).version
            summary = right.summary.model_copy(update={"version": version})
            model = ReadModel(summary, {number: right.chunks[number] for number in portion})
            rooms.read_model.commit(Folded(model, (), changed=True), now)
    complete_if_due(right.summary, rooms.event_log)
    return found


def _stored(like: ReadModel, rooms: Rooms) -> ReadModel:
    chunks: dict[int, StatusChunk] = {}
    summary = rooms.read_model.summary(like.summary.orchestration_id)
    for portion in _portions(like):
        chunks |= rooms.read_model.load(summary.orchestration_id, portion).chunks
    return ReadModel(summary, chunks)


def _portions(model: ReadModel) -> Iterator[list[int]]:
    numbers = iter(sorted(model.chunks))
    yield list(islice(numbers, CHUNKS_PER_COMMIT))
    while portion := list(islice(numbers, CHUNKS_PER_COMMIT)):
        yield portion
