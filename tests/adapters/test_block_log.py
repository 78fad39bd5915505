"""The blocks in DynamoDB: places that are taken, throttling, many ranges at once, and reading back."""

from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

from background_jobs.aws import clients, throttling
from background_jobs.aws.block_items import block_from_item
from background_jobs.aws.block_log import BlockLog
from background_jobs.core.blocks import (
    Block,
    InstanceRange,
    InvalidBlock,
    cut_bodies,
    ranges_of_orchestration,
    ranges_of_share,
)
from background_jobs.core.ownership import RangeLost, ReadBlocks, begin, close, take_over
from background_jobs.settings import Settings
from tests.unit.histories import ORCHESTRATION_ID, at, job_completed, job_errored, job_started

RANGE = InstanceRange("billing", ORCHESTRATION_ID, 0, 249)


@pytest.fixture
def log(settings: Settings) -> BlockLog:
    return BlockLog(
        clients.dynamodb(), settings.event_log_table, settings.retention, lambda: at(0).timestamp()
    )


def bodies_closing(left: Sequence[int], _blocks: Sequence[Block]) -> list[bytes]:
    return list(cut_bodies(job_errored(index) for index in left))


def outcomes(instances: InstanceRange) -> bytes:
    (body,) = cut_bodies(job_completed(i, result=i) for i in range(instances.first, instances.last + 1))
    return body


def test_appending_the_same_block_twice_is_harmless(log: BlockLog) -> None:
    block = Block(RANGE, 0, 0, "launch", outcomes(RANGE))
    assert log.append(block) is None
    assert log.append(block) == block
    assert log.read(RANGE) == [block]


def test_the_first_owner_is_refused_once_its_range_was_taken_over(log: BlockLog) -> None:
    # given a launch that is under way
    launch = begin(RANGE, "launch")
    (start,) = cut_bodies([job_started(0)])
    log.run(launch.append(start))

    # when a later one takes its range over
    relaunch, blocks = log.run(take_over(RANGE, "relaunch"))
    log.run(relaunch.append(outcomes(RANGE)))

    # then the later one knows all that was written, and the first can write nothing more
    assert [event for block in blocks for event in block.events()] == [job_started(0)]
    with pytest.raises(RangeLost, match="belong to 'relaunch' since block 1"):
        log.run(launch.append(outcomes(RANGE)))
    events = list(log.read_events("billing", ORCHESTRATION_ID, 0, 249))
    assert events == [job_started(0), *(job_completed(index, result=index) for index in range(250))]


def test_hundreds_of_ranges_are_closed_with_few_calls(log: BlockLog, monkeypatch: pytest.MonkeyPatch) -> None:
    # given 300 shares of one instance each, of which some are done
    ranges = list(ranges_of_orchestration("billing", ORCHESTRATION_ID, 300, 300))
    for part in ranges[::25]:
        log.run(begin(part, f"launch {part.first}").append(outcomes(part)))
    calls: list[str] = []
    clients.dynamodb().meta.events.register(
        "before-call.dynamodb.*", lambda model, **_: calls.append(model.name)
    )

    # when all that is left is closed
    closed = list(log.run_all(close(part, "closer", bodies_closing) for part in ranges))

    # then each has its outcome, and a hundred share a call
    assert sum(closed) == 300 - 12
    assert len(calls) <= 20
    events = list(log.read_events("billing", ORCHESTRATION_ID, 0, 299))
    assert [event.index for event in events] == list(range(300))
    assert sum(event.type == "JobCompleted" for event in events) == 12


def test_ranges_are_read_together_in_whatever_order_they_are_asked_for(log: BlockLog) -> None:
    parts = [InstanceRange("billing", ORCHESTRATION_ID, first, first) for first in (7, 3, 260, 5)]
    for part in parts:
        log.run(begin(part, "container").append(outcomes(part)))
    read = log.read_together([ReadBlocks(part, 0) for part in parts])
    assert [[block.range for block in blocks] for blocks in read] == [[part] for part in parts]


def test_a_closer_goes_on_where_somebody_appended_in_between(log: BlockLog) -> None:
    launch = begin(RANGE, "launch")

    def racing(left: Sequence[int], blocks: Sequence[Block]) -> list[bytes]:
        if not blocks:
            log.run(launch.append(next(iter(cut_bodies(job_completed(index) for index in range(100))))))
        return bodies_closing(left, blocks)

    assert log.run(close(RANGE, "closer", racing)) == 150
    events = list(log.read_events("billing", ORCHESTRATION_ID, 0, 249))
    assert sorted(event.index for event in events) == list(range(250))


def test_a_part_of_the_instances_is_read_over_partitions(log: BlockLog) -> None:
    for part in ranges_of_share("billing", ORCHESTRATION_ID, 0, 599):
        log.run(begin(part, "launch").append(outcomes(part)))
    found = [event.index for event in log.read_events("billing", ORCHESTRATION_ID, 240, 510)]
    assert found == list(range(240, 511))
    assert list(log.read_events("another", ORCHESTRATION_ID, 0, 599)) == []


@pytest.mark.parametrize("code", ["ThrottlingException", "ProvisionedThroughputExceededException"])
def test_throttling_is_waited_for(log: BlockLog, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(throttling, "wait_before_retry", lambda _attempt: None)
    refused = throttle(log, monkeypatch, code, times=30)
    assert log.append(Block(RANGE, 0, 0, "launch", outcomes(RANGE))) is None
    assert len(refused) == 30


def test_waiting_ends_with_the_time_of_the_container(
    log: BlockLog, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = BlockLog(
        clients.dynamodb(),
        settings.event_log_table,
        settings.retention,
        lambda: at(0).timestamp(),
        lambda: True,
    )
    throttle(over, monkeypatch, "ThrottlingException", times=99)
    with pytest.raises(Exception, match="ThrottlingException"):
        over.append(Block(RANGE, 0, 0, "launch"))


def test_an_item_that_is_no_block_says_so() -> None:
    with pytest.raises(InvalidBlock):
        block_from_item({"pk": {"S": RANGE.partition}, "sk": {"S": RANGE.key(0).sort}})


def throttle(log: BlockLog, monkeypatch: pytest.MonkeyPatch, code: str, times: int) -> list[Any]:
    put = clients.dynamodb().put_item
    refused: list[Any] = []

    def throttled(**request: Any) -> Any:
        if len(refused) < times:
            refused.append(request)
            raise ClientError({"Error": {"Code": code, "Message": "slow down"}}, "PutItem")
        return put(**request)

    monkeypatch.setattr(clients.dynamodb(), "put_item", throttled)
    return refused
