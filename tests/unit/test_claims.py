"""What a container that is done may claim of a range, given its blocks."""

import pytest

from background_jobs.core.blocks import Block, InstanceRange, cut_bodies
from background_jobs.core.claims import Claimable, find_claimable
from background_jobs.core.events import InstancesClaimed, JobEvent
from tests.unit.histories import ORCHESTRATION_ID, at, job_completed, job_started

RANGE = InstanceRange("billing", ORCHESTRATION_ID, 250, 499)


def block(sequence: int, *events: JobEvent, instances: InstanceRange = RANGE) -> Block:
    (body,) = cut_bodies(events) if events else (b"[]",)
    return Block(instances, sequence, 0, "somebody", body)


def claimed(first: int, last: int) -> InstancesClaimed:
    return InstancesClaimed(orchestration_id=ORCHESTRATION_ID, at=at(0), index=first, last=last, share=7)


def found(
    *blocks: Block, instances: InstanceRange = RANGE, whole: bool = False, seconds: int = 0, mean: float = 1.0
) -> Claimable | None:
    """Return what can be claimed some *seconds* after everything, without what says how good it is."""
    claimable = find_claimable(instances, blocks, at(seconds), mean, may_take_whole=whole).claimable
    return claimable and claimable._replace(backlog=0.0, seconds=0.0)


def test_half_of_what_has_not_begun_is_claimed_from_its_end() -> None:
    assert found() == Claimable(RANGE, 0, 375, 499)
    assert found(block(0, job_completed(250), job_started(251))) == Claimable(RANGE, 1, 376, 499)
    assert found(block(0, *map(job_started, range(250, 499)))) == Claimable(RANGE, 1, 499, 499)
    assert found(block(0, *map(job_started, range(250, 500)))) is None


def test_a_range_that_its_container_has_not_come_to_is_taken_but_for_its_first_instance() -> None:
    assert found(whole=True) == Claimable(RANGE, 0, 251, 499)
    assert found(block(0, job_started(250)), whole=True) == Claimable(RANGE, 1, 375, 499)
    assert found(block(0), whole=True) == Claimable(RANGE, 1, 375, 499), (
        "somebody has fenced it to work on it"
    )


@pytest.mark.parametrize("last", [250, 251])
def test_the_first_instance_of_a_range_stays(last: int) -> None:
    instances = RANGE.part(250, last)
    expected = Claimable(instances, 0, 251, 251) if last > 250 else None
    assert found(instances=instances) == found(instances=instances, whole=True) == expected


def test_what_was_claimed_can_be_claimed_in_turn() -> None:
    part = RANGE.part(400, 499)
    blocks = [block(0, *map(job_started, range(250, 399))), block(1, claimed(400, 499))]
    assert found(*blocks) == Claimable(part, 0, 450, 499)
    assert found(*blocks, block(0, *map(job_started, range(400, 500)), instances=part)) == Claimable(
        RANGE, 2, 399, 399
    )


def test_the_longer_an_owner_is_in_one_instance_the_more_is_taken_from_it() -> None:
    """Nobody knows when it comes to the rest: an instance that has taken long takes long still."""
    part = RANGE.part(250, 260)
    begun = block(0, job_completed(250), job_started(251, seconds=0), instances=part)
    sizes = [
        claimable.size
        for seconds in (0, 3, 9, 60)
        if (claimable := found(begun, instances=part, seconds=seconds, mean=1.0))
    ]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (5, 9)


def test_nothing_is_claimed_where_instances_begin_faster_than_the_log_can_tell() -> None:
    short = [job_started(index) for index in (250, 251)] + [
        job_completed(250).model_copy(update={"started_at": at(1.99)})
    ]
    assert found(block(0, *short), mean=60.0) is None


def test_nothing_is_claimed_behind_a_block_that_cannot_be_read_or_is_missing() -> None:
    assert found(Block(RANGE, 0, 0, "later release", b'[{"type":"JobDanced"}]')) is None
    assert found(block(1, *map(job_started, range(250, 260)))) is None


def test_there_may_be_more_before_a_range_that_was_claimed_or_keeps_its_one_instance() -> None:
    def goes_on(*blocks: Block, instances: InstanceRange = RANGE) -> bool:
        return find_claimable(instances, blocks, at(0), 1.0, may_take_whole=True).goes_on

    assert not goes_on()
    assert not goes_on(block(0, *map(job_started, range(250, 500))))
    assert goes_on(block(0, claimed(251, 499)))
    assert goes_on(instances=RANGE.part(250, 250))
    single = RANGE.part(250, 250)
    assert not goes_on(block(0, job_started(250), instances=single), instances=single)
