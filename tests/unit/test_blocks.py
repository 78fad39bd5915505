"""Blocks: what goes in comes out, however it is packed, and never lands in another's place."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from background_jobs.core.blocks import (
    BLOCK_BYTES,
    READABLE_BYTES,
    Block,
    InstanceRange,
    InvalidBlock,
    cut_bodies,
    pack,
    range_from_key,
    ranges_of_orchestration,
    ranges_of_share,
    unpack,
)
from background_jobs.core.events import (
    PARTITION_SIZE,
    EventKey,
    JobEvent,
    JobProgressed,
    job_partitions,
    parse_event,
)
from tests.unit.histories import ORCHESTRATION_ID, at, histories, job_completed, job_errored, job_started

HISTORIES = sorted((Path(__file__).parent.parent / "histories").glob("v*/*.json"))
RANGE = InstanceRange("billing", ORCHESTRATION_ID, 0, 249)


def through_blocks(events: list[Any], instances: InstanceRange = RANGE) -> list[JobEvent]:
    blocks = [
        Block(instances, number, 0, "me", unpack(pack(body)))
        for number, body in enumerate(cut_bodies(events))
    ]
    return [event for block in blocks for event in block.events()]


@pytest.mark.parametrize("path", HISTORIES, ids=[path.stem for path in HISTORIES])
def test_every_event_of_a_released_history_comes_out_of_a_block_as_it_went_in(path: Path) -> None:
    stored = [parse_event(json.dumps(event)) for event in json.loads(path.read_text())["events"]]
    events = [event for event in stored if isinstance(event, JobEvent)]
    read = through_blocks(events)
    assert read == events
    assert [event.model_dump_json() for event in read] == [event.model_dump_json() for event in events]


@pytest.mark.parametrize(
    ("body", "may_hold"),
    [
        (b'[{"index":1,"type":"JobPaused"}]', True),
        (b'[{"index":1,"type":"JobStarted","schema_version":2}]', True),
        (next(cut_bodies([job_started(1), job_errored(1)])), False),
    ],
)
def test_a_block_is_read_for_what_a_later_release_wrote_only_where_it_may_hold_some(
    body: bytes, *, may_hold: bool
) -> None:
    block = Block(RANGE, 0, 0, "me", body)
    assert block.may_hold_later() is may_hold
    assert bool(block.read().later) is may_hold


@given(histories())
def test_any_history_comes_out_of_blocks_as_it_went_in(history: list[Any]) -> None:
    for start in range(0, 4_000, PARTITION_SIZE):
        instances = InstanceRange("billing", ORCHESTRATION_ID, start, start + PARTITION_SIZE - 1)
        events = [
            event for event in history if isinstance(event, JobEvent) and start <= event.index < start + 250
        ]
        assert through_blocks(events, instances) == events


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(exclude_categories=["Cs"])), lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)))  # fmt: skip
def test_any_result_comes_out_equal(result: Any) -> None:
    events = [job_completed(3, result=result), JobProgressed(orchestration_id=ORCHESTRATION_ID, at=at(1), index=3, attempt=1, percent=7)]  # fmt: skip
    assert through_blocks(events) == events


@given(st.lists(st.integers(0, BLOCK_BYTES + 50_000), max_size=12))
def test_blocks_are_bounded_and_lose_nothing(sizes: list[int]) -> None:
    events = [job_completed(index, result="é" * (size // 2)) for index, size in enumerate(sizes)]
    bodies = list(cut_bodies(events))
    assert through_blocks(events) == events
    for body in bodies:
        assert len(body) <= BLOCK_BYTES or len(json.loads(body)) == 1


def test_one_short_event_stays_readable_and_many_are_packed() -> None:
    (single,) = cut_bodies([job_started(0)])
    assert len(single) <= READABLE_BYTES
    assert json.loads(str(pack(single)))[0]["type"] == "JobStarted"
    (many,) = cut_bodies([job_completed(index, result=index) for index in range(100)])
    assert len(pack(many)) < len(many) / 6


def test_a_block_cannot_tell_of_instances_outside_of_its_range_or_of_another_orchestration() -> None:
    (body,) = cut_bodies([job_errored(250)])
    with pytest.raises(InvalidBlock, match="no instance of its range"):
        Block(RANGE, 0, 0, "me", body).events()
    forged = body.replace(b'"index":250', b'"index":5,"orchestration_id":"another"')
    assert Block(RANGE, 0, 0, "me", forged).events()[0].orchestration_id == ORCHESTRATION_ID


@pytest.mark.parametrize("stored", [b"no zlib", pack(b"x" * 2_000)[:-3], pack(b"0" * 5_000_000)])
def test_what_is_no_block_is_refused(stored: bytes) -> None:
    with pytest.raises(InvalidBlock):
        unpack(stored)


@given(st.integers(1, 5_000), st.integers(1, 300))
def test_the_ranges_of_an_orchestration_hold_each_instance_once_and_none_spans_two_partitions(
    total: int, count: int
) -> None:
    ranges = list(ranges_of_orchestration("billing", ORCHESTRATION_ID, total, min(count, total)))
    assert [index for part in ranges for index in range(part.first, part.last + 1)] == list(range(total))
    assert {part.partition for part in ranges} == set(
        job_partitions("billing", ORCHESTRATION_ID, 0, total - 1)
    )
    for part in ranges:
        assert range_from_key(part.key(12)) == (part, 12)
        assert part.first // PARTITION_SIZE == part.last // PARTITION_SIZE


@pytest.mark.parametrize(
    ("partition", "sort"),
    [
        (f"billing#{ORCHESTRATION_ID}#jobs#00001", "block#00000000-00000249#000000"),
        (f"billing#{ORCHESTRATION_ID}#jobs#00000", "block#00000000-00000250#000000"),
        (f"billing#{ORCHESTRATION_ID}#jobs#00000", "block#0-249#000000"),
        (f"billing#{ORCHESTRATION_ID}", "orchestration#started"),
    ],
)
def test_a_place_that_no_range_has_is_refused(partition: str, sort: str) -> None:
    with pytest.raises(InvalidBlock):
        range_from_key(EventKey(partition, sort))


def test_places_sort_as_instances_and_numbers_do() -> None:
    parts = list(ranges_of_share("billing", ORCHESTRATION_ID, 0, 99))
    keys = [part.key(number).sort for part in parts for number in (0, 9, 10, 999_999)]
    assert keys == sorted(keys)
