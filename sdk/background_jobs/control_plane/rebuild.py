"""Folding the log again: it proves that the read model is right, and corrects a read model that is not."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from background_jobs.aws.read_model import ReadModelConflict, portions_of_chunks
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.aggregate_jobs import complete_if_due
from background_jobs.control_plane.log_check import LogCheck
from background_jobs.core.fold import ChunkNumbers, FoldResult, fold
from background_jobs.core.read_model import ReadModel, Summary
from background_jobs.core.statuses import CHUNKS, StatusChunk
from background_jobs.core.views.later_events import list_later

_BATCH_EVENTS = 1_000
_ATTEMPTS = 5


class Findings(NamedTuple):
    """What is wrong with an orchestration's data; all are empty where nothing is."""

    log: list[str]
    """Faults of the log itself; nothing can correct them."""
    read_model: list[str]
    """How the stored read model differs from the log."""
    later: list[str]
    """What is said of events that a later release wrote: this one cannot tell what follows from them."""


def check(orchestration_id: str, stores: Stores) -> Findings:
    """Return what is wrong with the log, and with the read model. Raises OrchestrationNotFound."""
    stores = _bind(orchestration_id, stores)
    right, reading = _fold_log(orchestration_id, stores)
    faults = reading.faults
    stored = _read_stored(right, stores)
    if stored.summary.completed_at and stores.event_log.read_completed(orchestration_id) is None:
        faults.append("log: orchestration#completed is missing; it was there when the read model was made")
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
    return Findings(faults, differing, [later.sentence for later in list_later(reading.later)])


def differences(orchestration_id: str, stores: Stores) -> list[str]:
    """Return all that `check` finds, as one list. Raises OrchestrationNotFound."""
    return [finding for findings in check(orchestration_id, stores) for finding in findings]


def rebuild(orchestration_id: str, stores: Stores, now: datetime) -> Findings:
    """Correct the stored read model, and return what was wrong; append a completion that is due.

    Nothing is stored where a later release wrote events: what follows from them would be lost.

    Raises OrchestrationNotFound, or ReadModelConflict where the aggregator commits too often meanwhile.
    """
    stores = _bind(orchestration_id, stores)
    found = check(orchestration_id, stores)
    if found.later:
        return found
    right = (
        _correct(orchestration_id, stores, now)
        if found.read_model
        else _fold_log(orchestration_id, stores)[0]
    )
    complete_if_due(right.summary, stores.event_log)
    return found


def _bind(orchestration_id: str, stores: Stores) -> Stores:
    return stores.for_service(stores.service_lookup.find(orchestration_id))


def _fold_log(orchestration_id: str, stores: Stores) -> tuple[ReadModel, LogCheck]:
    """Return the read model that follows from the log alone, and what was found while it was read."""
    started = stores.event_log.read_started(orchestration_id)
    model = ReadModel(
        Summary(orchestration_id=orchestration_id, service=started.service),
        {number: StatusChunk() for number in range(CHUNKS.count(started.total))},
    )
    reading = LogCheck(started, stores)
    events = reading.events()
    while batch := list(islice(events, _BATCH_EVENTS)):
        model = fold(model, batch).model
    return model, reading


def _correct(orchestration_id: str, stores: Stores, now: datetime) -> ReadModel:
    for _ in range(_ATTEMPTS - 1):
        with suppress(ReadModelConflict):
            return _store(orchestration_id, stores, now)
    return _store(orchestration_id, stores, now)


def _store(orchestration_id: str, stores: Stores, now: datetime) -> ReadModel:
    # The version is read before the log, so that no later commit of the aggregator is overwritten.
    before = stores.read_model.read_summary(orchestration_id)
    right, _ = _fold_log(orchestration_id, stores)
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
    if not model.chunks:
        yield ChunkNumbers(frozenset(), frozenset())
    for portion in portions_of_chunks(sorted(model.chunks), with_progress=bool(model.progress)):
        yield ChunkNumbers(portion.statuses, portion.progress & model.progress.keys())
