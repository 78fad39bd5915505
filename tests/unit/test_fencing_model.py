"""The protocol of ownership, tried in every order of every step of small cases."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from background_jobs.core.blocks import Block, InstanceRange, cut_bodies, unfinished
from background_jobs.core.events import JobEvent
from background_jobs.core.ownership import AppendBlock, RangeLost, ReadBlocks, begin, close, take_over
from tests.unit.histories import ORCHESTRATION_ID, job_completed, job_errored, job_started
from tests.unit.ownership_model import Actor, Log, Running, Violation, replay
from tests.unit.ownership_model import try_every_order as try_every

RANGE = InstanceRange("billing", ORCHESTRATION_ID, 0, 1)


def body(*events: JobEvent) -> bytes:
    (joined,) = cut_bodies(events)
    return joined


@cache
def start_of(index: int) -> bytes:
    return body(job_started(index))


@cache
def outcome_of(index: int, owner: str) -> bytes:
    return body(job_completed(index, result=owner))


@cache
def both_outcomes(owner: str) -> bytes:
    return body(job_completed(0, result=owner), job_completed(1, result=owner))


@cache
def closing_of(index: int, owner: str) -> bytes:
    return body(job_errored(index, params={"by": owner}))


@pytest.fixture(autouse=True)
def read_each_block_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading events is most of the work, and a block always holds the same."""
    monkeypatch.setattr(Block, "events", cache(Block.events))


def work(owned: Any, indices: Iterable[int]) -> Actor:
    """Run what has no outcome as a container does: a start, then an outcome, each in a block of its own."""
    for index in indices:
        yield from owned.append(start_of(index))
        yield from owned.append(outcome_of(index, owned.owner))


def first_launch(owner: str) -> Actor:
    yield from work(begin(RANGE, owner), (0, 1))


def short_launch(owner: str) -> Actor:
    """Run both instances within one flush: their outcomes stand for their starts."""
    yield from begin(RANGE, owner).append(both_outcomes(owner))


def relaunch(owner: str) -> Actor:
    owned, blocks = yield from take_over(RANGE, owner)
    yield from work(owned, unfinished(RANGE, [event for block in blocks for event in block.events()]))


def closer(owner: str) -> Actor:
    """Close what is left, in a block each: params may be too large for one block."""

    def outcomes(left: Sequence[int], _blocks: Sequence[Block]) -> list[bytes]:
        return [closing_of(index, owner) for index in left]

    yield from close(RANGE, owner, outcomes)


ACTORS: dict[str, Callable[[str], Actor]] = {
    "launch": first_launch,
    "short": short_launch,
    "relaunch": relaunch,
    "closer": closer,
}


try_every_order = partial(try_every, actors=ACTORS)


@pytest.mark.parametrize(
    ("names", "lost_answers"),
    [
        (("launch", "closer"), 1),
        (("launch", "relaunch"), 1),
        (("short", "relaunch", "closer"), 1),
        (("short", "short", "closer"), 1),
        (("launch", "closer", "closer"), 0),
        (("launch", "relaunch", "closer"), 0),
    ],
)
def test_each_instance_has_one_outcome_in_every_order_of_every_step(
    names: tuple[str, ...], lost_answers: int
) -> None:
    found = try_every_order(names, lost_answers=lost_answers)
    assert found.ends > 1


def test_a_process_that_is_fenced_out_appends_nothing_from_then_on() -> None:
    # given a launch that is frozen before each of its steps in turn
    for frozen_after in range(4):
        log, launch = Log(), Running(first_launch("launch"))
        launch.send(None)
        for _ in range(frozen_after):
            launch.send(log.answer(launch.step))  # type: ignore[arg-type]

        # when another takes its range over while it sleeps
        other = Running(take_over(RANGE, "relaunch"))
        other.send(None)
        while other.step is not None:
            other.send(log.answer(other.step))
        before = dict(log.blocks)

        # then its next append is refused, it ends, and the log is as it was
        launch.send(log.answer(launch.step))  # type: ignore[arg-type]
        assert launch.lost
        assert log.blocks == before


def test_a_range_that_was_taken_over_is_finished_by_its_last_owner() -> None:
    # given a launch that died after one outcome
    log, launch = Log(), Running(first_launch("launch"))
    launch.send(None)
    for _ in range(2):
        launch.send(log.answer(launch.step))  # type: ignore[arg-type]

    # when it is launched again
    again = Running(relaunch("relaunch"))
    again.send(None)
    while again.step is not None:
        again.send(log.answer(again.step))

    # then what was done is kept, and the rest was done once
    assert {index: event.result for index, event in log.seen.items()} == {0: "launch", 1: "relaunch"}  # type: ignore[union-attr]


class LogOfLaunches(Log):
    """A log whose blocks are in the order of the launches that appended them."""

    def check(self, appended: Block) -> None:
        super().check(appended)
        launches = [number_of(self.blocks[place]) for place in sorted(self.blocks)]
        if launches != sorted(launches):
            raise Violation(f"a launch took the range from a later one: {launches}")


def number_of(block: Block) -> int:
    return int(block.owner.rpartition(" ")[2])


def numbered_launch(owner: str) -> Actor:
    """Take over from earlier launches, and yield to later ones."""
    number = int(owner.rpartition(" ")[2])
    owned, blocks = yield from take_over(RANGE, owner, yields_to=lambda block: number_of(block) > number)
    yield from work(owned, unfinished(RANGE, [event for block in blocks for event in block.events()]))


def test_no_launch_takes_a_range_from_a_later_one() -> None:
    found = try_every_order(("launch",) * 2, actors={"launch": numbered_launch}, log_type=LogOfLaunches)
    assert found.ends > 1


class TestWhatTheModelFinds:
    """The model is only worth something if it finds what is wrong with a protocol that is."""

    def test_without_the_fence_in_the_place_of_a_block_the_dead_append_beside_the_living(self) -> None:
        """A block under (fence, number), free as it is, with no check that no later fence exists."""
        with pytest.raises(Violation, match="second outcome"):
            try_every_order(
                ("launch", "relaunch"), place=lambda block: (block.fence, block.sequence, block.owner)
            )

    def test_who_takes_over_without_reading_again_gives_second_outcomes(self) -> None:
        def hasty(owner: str) -> Actor:
            blocks = yield ReadBlocks(RANGE, 0)
            owned = begin(RANGE, owner)
            owned.next_sequence = len(blocks)
            while True:
                fence = Block(RANGE, owned.next_sequence, 9, owner)
                holder = yield AppendBlock(fence)
                owned.next_sequence += 1
                if holder is None:
                    break
            yield from work(owned, unfinished(RANGE, [event for block in blocks for event in block.events()]))

        with pytest.raises(Violation, match="second outcome"):
            try_every_order(("launch", "hasty"), actors=ACTORS | {"hasty": hasty})

    def test_without_yielding_a_launch_that_slept_ends_the_one_that_works(self) -> None:
        with pytest.raises(Violation, match="from a later one"):
            try_every_order(("relaunch",) * 2, log_type=LogOfLaunches)

    def test_who_goes_on_behind_a_refused_block_gives_second_outcomes(self) -> None:
        def stubborn(owner: str) -> Actor:
            owned = begin(RANGE, owner)
            for index in (0, 1):
                while True:
                    block = Block(RANGE, owned.next_sequence, 0, owner, outcome_of(index, owner))
                    holder = yield AppendBlock(block)
                    owned.next_sequence += 1
                    if holder is None or holder.is_by(owner):
                        break

        with pytest.raises(Violation, match="second outcome"):
            try_every_order(("stubborn", "closer"), actors=ACTORS | {"stubborn": stubborn})

    def test_who_does_not_know_his_own_block_again_is_lost_with_his_answer(self) -> None:
        def forgetful(owner: str) -> Actor:
            owned = begin(RANGE, owner)
            for index in (0, 1):
                block = Block(RANGE, owned.next_sequence, 0, owner, outcome_of(index, owner))
                if (yield AppendBlock(block)) is not None:
                    raise RangeLost(RANGE, block)
                owned.next_sequence += 1

        log, running = replay(["forgetful"], [(0, True), (0, False)], Log(), {"forgetful": forgetful})
        assert running[0].lost
        assert len(log.seen) == 1


class Owners(RuleBasedStateMachine):
    """Any number of owners of any kind, who die, sleep and come back whenever it suits them least."""

    living: Bundle[Running] = Bundle("living")

    @initialize()
    def an_empty_log(self) -> None:
        self.log = Log()
        self.count = 0
        self.fences: list[int] = []

    @rule(target=living, name=st.sampled_from(sorted(ACTORS)))
    def begins(self, name: str) -> Running:
        self.count += 1
        actor = Running(ACTORS[name](f"{name} {self.count}"), name)
        actor.send(None)
        return actor

    @rule(actor=living, count=st.integers(1, 4))
    def takes_steps(self, actor: Running, count: int) -> None:
        for _ in range(count):
            if actor.step is not None:
                actor.send(self.log.answer(actor.step))
        if actor.closes and actor.done:
            assert len(self.log.seen) == 2

    @rule(actor=living)
    def is_not_answered(self, actor: Running) -> None:
        if actor.step is not None:
            self.log.answer(actor.step)

    @rule(actor=consumes(living))
    def dies(self, actor: Running) -> None:
        actor.steps.close()

    @rule()
    def somebody_closes_without_a_break(self) -> None:
        self.count += 1
        actor = Running(closer(f"closer {self.count}"), "closer")
        actor.send(None)
        while actor.step is not None:
            actor.send(self.log.answer(actor.step))
        assert len(self.log.seen) == 2

    @invariant()
    def numbers_have_no_gaps_and_fences_only_rise(self) -> None:
        blocks = [self.log.blocks[number] for number in sorted(self.log.blocks)]
        assert [block.sequence for block in blocks] == list(range(len(blocks)))
        fences = [block.fence for block in blocks]
        assert fences == sorted(fences)
        # A closer reads on and takes over again; a launch that lost its range never comes back.
        launches = [block.owner for block in blocks if "launch" in block.owner]
        assert launches == sorted(launches, key=launches.index), "a launch came back after it had lost"


TestOwners = Owners.TestCase
TestOwners.settings = hypothesis_settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_closer_whose_outcomes_cannot_be_read_stops_instead_of_appending_for_ever() -> None:
    log, steps = Log(), close(RANGE, "closer", lambda _left, _blocks: [b"[]"])
    appended = log.answer(steps.send(log.answer(next(steps))))
    with pytest.raises(ValueError, match="No outcomes that can be read"):
        steps.send(appended)
    assert len(log.blocks) == 1
