"""The fold gives one read model, whatever the order and the number of deliveries."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from background_jobs.aws.block_items import BLOCK
from background_jobs.aws.log_items import read_item, to_item
from background_jobs.core import statuses
from background_jobs.core.blocks import Block, InstanceRange, cut_bodies, pack
from background_jobs.core.completion import decide_completion
from background_jobs.core.events import (
    PARTITION_SIZE,
    Event,
    EventKey,
    JobEvent,
    log_partition,
    parse_event,
)
from background_jobs.core.fold import fold
from background_jobs.core.read_model import ReadModel, Summary
from background_jobs.core.statuses import Status, StatusChunk, status_of
from tests.unit.histories import (
    ORCHESTRATION_ID,
    at,
    histories,
    job_completed,
    job_errored,
    job_started,
    started,
)

WHOLE = log_partition("default", ORCHESTRATION_ID)
EMPTY = ReadModel(Summary(orchestration_id=ORCHESTRATION_ID))


def fold_all(*batches: Iterable[Event]) -> ReadModel:
    model = EMPTY
    for batch in batches:
        model = fold(model, batch).model
    return model


def read_statuses(model: ReadModel, total: int) -> list[Status]:
    return [
        status_of(model.chunks.get(i // statuses.CHUNK_SIZE, StatusChunk()).rank(i % statuses.CHUNK_SIZE))
        for i in range(total)
    ]


@given(histories(), st.data())
def test_any_duplication_order_and_batching_gives_the_same_read_model(
    history: Sequence[Event], data: st.DataObject
) -> None:
    # given the read model that one pass in order makes of the log
    clean = fold_all(history)

    # when the same events come shuffled, some of them again, in batches of any size
    extra = data.draw(st.lists(st.sampled_from(history), max_size=20))
    delivered = data.draw(st.permutations([*history, *extra]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(delivered)), max_size=5)))
    batches = [delivered[a:b] for a, b in zip([0, *cuts], [*cuts, len(delivered)], strict=True)]

    # then nothing differs
    assert fold_all(*batches) == clean


@given(histories(), st.data())
def test_blocks_in_any_order_and_any_number_of_times_give_the_same_read_model(
    history: Sequence[Event], data: st.DataObject
) -> None:
    # given the items of a log: blocks of some events each, and events of the whole
    of_range: dict[InstanceRange, list[JobEvent]] = {}
    whole = [event for event in history if not isinstance(event, JobEvent)]
    for event in history:
        if isinstance(event, JobEvent):
            first = event.index - event.index % PARTITION_SIZE
            part = InstanceRange("default", ORCHESTRATION_ID, first, first + PARTITION_SIZE - 1)
            of_range.setdefault(part, []).append(event)
    items = [to_item(EventKey(WHOLE, event.sort_key), event, timedelta(days=1)) for event in whole]
    for part, events in of_range.items():
        size = data.draw(st.integers(1, len(events)))
        cuts = [events[first : first + size] for first in range(0, len(events), size)]
        bodies = [body for cut in cuts for body in cut_bodies(cut)]
        items += [item_of(Block(part, number, 0, "launch", body)) for number, body in enumerate(bodies)]

    # when the stream delivers them shuffled, some of them again, in batches of any size
    extra = data.draw(st.lists(st.sampled_from(items), max_size=9))
    delivered = data.draw(st.permutations([*items, *extra]))
    size = data.draw(st.integers(1, len(delivered)))
    batches = [delivered[first : first + size] for first in range(0, len(delivered), size)]

    # then nothing differs from one pass over the events
    unpacked = [[event for item in batch for event in read_item(item).events] for batch in batches]
    assert fold_all(*unpacked) == fold_all(history)


def item_of(block: Block) -> dict[str, Any]:
    """Return the item that holds *block*."""
    stored = pack(block.body)
    return {
        "pk": {"S": block.key.partition},
        "sk": {"S": block.key.sort},
        "type": {"S": BLOCK},
        "fence": {"N": str(block.fence)},
        "owner": {"S": block.owner},
        "events": {"S": stored} if isinstance(stored, str) else {"B": stored},
    }


@given(histories())
def test_counts_are_those_of_the_statuses(history: Sequence[Event]) -> None:
    model = fold_all(history)
    summary, total = model.summary, model.summary.total
    assert total is not None
    statuses_seen = read_statuses(model, total)
    assert summary.completed == statuses_seen.count(Status.COMPLETED)
    assert summary.errored == statuses_seen.count(Status.ERRORED)
    assert summary.running + summary.waiting == statuses_seen.count(Status.IN_PROGRESS)


@given(histories())
def test_folding_a_batch_again_changes_nothing_and_says_so(history: Sequence[Event]) -> None:
    again = fold(fold_all(history), history)
    assert not again.changed
    assert again.transitions == ()


@given(histories())
def test_every_event_reads_back_from_its_json(history: Sequence[Event]) -> None:
    assert [parse_event(event.model_dump_json(exclude_none=True)) for event in history] == list(history)


def test_job_events_may_come_before_the_start_of_their_orchestration() -> None:
    """Partitions of the log may be on different shards of the stream, whose order is not defined."""
    model = fold_all([job_completed(0)], [started(1)])
    assert model.summary.all_final
    assert (model.summary.completed, model.summary.total) == (1, 1)


def test_an_outcome_is_final_whatever_comes_after() -> None:
    model = fold_all([started(1), job_errored(0)], [job_started(0, attempt=7)])
    assert read_statuses(model, 1) == [Status.ERRORED]
    assert model.summary.running == 0


def test_transitions_tell_what_moved_and_when() -> None:
    moved = fold(fold_all([started(3)]), [job_started(1, seconds=1), job_completed(1, seconds=5)]).transitions
    assert [(move.index, status_of(move.rank), move.at) for move in moved] == [
        (1, Status.IN_PROGRESS, at(1)),
        (1, Status.COMPLETED, at(5)),
    ]


def test_completion_waits_for_the_last_outcome_and_bears_its_time() -> None:
    first = fold_all([started(2, tags={"customer": "acme"}), job_errored(1, seconds=9)])
    assert decide_completion(first.summary) is None

    completion = decide_completion(fold(first, [job_completed(0, seconds=4)]).model.summary)
    assert completion is not None
    assert (completion.completed, completion.errored, completion.at) == (1, 1, at(9))
    assert completion.tags == {"customer": "acme"}


def test_an_orchestration_without_instances_is_complete_once_started() -> None:
    completion = decide_completion(fold_all([started(0)]).summary)
    assert completion is not None
    assert (completion.total, completion.at) == (0, at(0))


@given(st.lists(st.integers(0, 15), max_size=1_750), st.sampled_from([0, 7, statuses.CHUNK_SIZE - 1_750]))
def test_a_chunk_of_statuses_unpacks_the_same(ranks: list[int], first: int) -> None:
    chunk = StatusChunk()
    for offset, rank in enumerate(ranks):
        chunk.raise_rank(first + offset, rank)
    assert StatusChunk.unpacked(chunk.packed()) == chunk


def test_a_chunk_of_statuses_is_one_write_unit_where_few_fail_and_far_from_an_items_limit_where_all_differ() -> (
    None
):
    shares = range(0, statuses.CHUNK_SIZE, 10_000)
    usual, worst = StatusChunk(), StatusChunk()
    draw = Random(7)
    for first in shares:
        ended = draw.randrange(10_000)
        for offset in range(first, first + ended):
            usual.raise_rank(offset, statuses.ERRORED if draw.random() < 0.0005 else statuses.COMPLETED)
        usual.raise_rank(first + ended, statuses.running(1))
    for offset in range(statuses.CHUNK_SIZE):
        worst.raise_rank(offset, draw.randrange(16))
    assert len(usual.packed()) < 900
    assert len(worst.packed()) < 130_000
