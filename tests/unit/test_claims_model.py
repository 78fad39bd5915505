"""Claims, tried in every order of every step: what moves has one outcome, and nothing is left behind.

Three shares: the victim's with the instances 0 to 2, and two of one instance, which is done. Their containers
claim what the victim has not begun.
"""

import random
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial

import pytest

from background_jobs.core.blocks import Block, InstanceRange, cut_bodies, unfinished
from background_jobs.core.claims import Claimable, find_claimable, settle
from background_jobs.core.events import ClaimAnnounced, InstancesClaimed, JobEvent
from background_jobs.core.hedging import bring_in
from background_jobs.core.ownership import (
    AppendBlock,
    Ownership,
    ReadBlocks,
    begin,
    claimed_ranges,
    close,
    take_over,
)
from tests.unit.histories import ORCHESTRATION_ID, at, job_completed, job_errored
from tests.unit.ownership_model import Actor, Log, Running, Violation, try_every_order

VICTIM = InstanceRange("billing", ORCHESTRATION_ID, 0, 2)
HOMES = {1: VICTIM.part(3, 3), 2: VICTIM.part(4, 4)}


@pytest.fixture(autouse=True)
def read_each_block_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading events is most of the work, and a block always holds the same."""
    monkeypatch.setattr(Block, "events", cache(Block.events))
    monkeypatch.setattr(Block, "claim", cache(Block.claim))
    monkeypatch.setattr(Block, "hedge", cache(Block.hedge))
    monkeypatch.setattr(Block, "read", cache(Block.read))


def body(event: JobEvent) -> bytes:
    (joined,) = cut_bodies([event])
    return joined


@cache
def closing_of(index: int, owner: str) -> bytes:
    return body(job_errored(index, params={"by": owner}))


@cache
def outcome_of(index: int, owner: str) -> bytes:
    return body(job_completed(index, result=owner))


def read_events(blocks: Iterable[Block]) -> list[JobEvent]:
    return [event for block in blocks for event in block.events()]


def work(owned: Ownership, indices: Iterable[int]) -> Actor:
    """Run each instance and append its outcome, unless the instance has gone meanwhile."""
    for index in indices:
        while not owned.is_gone(index) and not (yield from owned.append(outcome_of(index, owned.owner))):
            pass


def victim(owner: str) -> Actor:
    yield from work(begin(VICTIM, owner), range(3))


def victim_again(owner: str) -> Actor:
    owned, blocks = yield from take_over(VICTIM, owner)
    yield from work(owned, unfinished(VICTIM, read_events(blocks)))


def look(instances: InstanceRange) -> Actor:
    """Read a range and those claimed from it, as a query sees them, but not in one moment."""
    blocks = yield ReadBlocks(instances, 0)
    for part in claimed_ranges(instances, blocks):
        blocks = [*blocks, *(yield from look(part))]
    return blocks


def find_in(blocks: Sequence[Block]) -> Claimable | None:
    return find_claimable(VICTIM, blocks, at(0), 1.0, may_take_whole=False).claimable


def announce(home: Ownership, share: int, found: Claimable) -> Actor:
    announced = found.announce(share, home.range.first, at(0))
    while not (yield from home.append(body(announced))):
        pass
    return announced


def claimer(owner: str, share: int = 1, times: int = 1) -> Actor:
    """Claim what has not begun, some *times*."""
    home = done_with(share, owner)
    for _ in range(times):
        found = find_in((yield from look(VICTIM)))
        if found is None:
            return
        announced = yield from announce(home, share, found)
        if (yield from settle(home.range, announced, f"claimer {owner}")):
            part = VICTIM.part(announced.first, announced.last)
            yield from work(begin(part, owner), range(part.first, part.last + 1))


def done_with(share: int, owner: str) -> Ownership:
    """Return the right to its own range of a claimer that has done its share."""
    return Ownership(HOMES[share], owner, next_sequence=1)


def announced_in(blocks: Iterable[Block]) -> list[ClaimAnnounced]:
    return [event for event in read_events(blocks) if isinstance(event, ClaimAnnounced)]


def claimer_again(owner: str, share: int = 1) -> Actor:
    """Take over a share with what it has claimed, and finish both."""
    home, blocks = yield from take_over(HOMES[share], owner, always=True)
    left = unfinished(HOMES[share], read_events(blocks))
    owned = [(home, left)]
    for announced in announced_in(blocks):
        if (yield from settle(HOMES[share], announced, f"claimer {owner}")):
            part = VICTIM.part(announced.first, announced.last)
            taken, blocks = yield from take_over(part, owner)
            owned.append((taken, unfinished(part, read_events(blocks))))
    for taken, indices in owned:
        yield from work(taken, indices)


def closings(owner: str) -> Callable[[Sequence[int], Sequence[Block]], list[bytes]]:
    def outcomes(left: Sequence[int], _blocks: Sequence[Block]) -> list[bytes]:
        return [closing_of(index, owner) for index in left]

    return outcomes


def closer(owner: str) -> Actor:
    """Close everything, as at the end of an orchestration."""
    for instances in (VICTIM, HOMES[1]):
        yield from close(instances, owner, closings(owner), with_claimed=True)


def closer_of_claimer(owner: str) -> Actor:
    """Close the share of a claimer, with what it has claimed."""
    _, blocks = yield from take_over(HOMES[1], owner, always=True)
    yield from close(HOMES[1], owner, closings(owner))
    for announced in announced_in(blocks):
        if (yield from settle(HOMES[1], announced, f"claimer {owner}")):
            yield from close(VICTIM.part(announced.first, announced.last), owner, closings(owner))


def closer_of_victim(owner: str) -> Actor:
    """Close the victim's share, but not what has gone from it."""
    yield from close(VICTIM, owner, closings(owner))


def hedger(owner: str, index: int = 1) -> Actor:
    """Bring in the outcome of a copy of one instance, whatever its owner has done of it meanwhile."""
    outcome = job_completed(index, result=owner, hedged_by=2)
    return (yield from bring_in(VICTIM, outcome, owner))


def hedger_of_claimed(owner: str) -> Actor:
    """Do the same with an instance that was claimed, in the range to which it went."""
    for part in claimed_ranges(VICTIM, (yield ReadBlocks(VICTIM, 0))):
        outcome = job_completed(part.last, result=owner, hedged_by=2)
        yield from bring_in(part, outcome, owner)


ACTORS: dict[str, Callable[[str], Actor]] = {
    "victim": victim,
    "victim again": victim_again,
    "claimer": claimer,
    "eager claimer": partial(claimer, times=9),
    "second claimer": partial(claimer, share=2),
    "claimer again": claimer_again,
    "hedger": hedger,
    "hedger of last": partial(hedger, index=2),
    "hedger of claimed": hedger_of_claimed,
    "closer": closer,
    "closer of claimer": closer_of_claimer,
    "closer of victim": closer_of_victim,
}
OF_VICTIM = {"victim", "victim again", "closer of victim"}
OF_CLAIMER = {"claimer", "eager claimer", "claimer again", "closer of claimer"}


@dataclass
class LogOfRanges(Log):
    """The blocks of several ranges; those of the claimers have their outcome."""

    def __post_init__(self) -> None:
        for home in HOMES.values():
            self.answer(AppendBlock(Block(home, 0, 0, "earlier", outcome_of(home.first, "earlier"))))

    def check_left(self, running: Iterable[Running]) -> None:
        """Who has gone on to the end leaves nothing behind: all of a victim and a claimer, or a closer of all."""
        ended = {actor.name for actor in running if actor.done and not actor.lost}
        at_work = {actor.name for actor in running if not actor.done}
        is_over = ended & OF_VICTIM and ended & OF_CLAIMER and "second claimer" not in at_work
        if ("closer" in ended or is_over) and not {0, 1, 2, 3} <= self.seen.keys():
            raise Violation(f"all have ended, and only {sorted(self.seen)} have an outcome")


def place(block: Block) -> object:
    return block.range, block.sequence


def try_all(*names: str, actors: dict[str, Callable[[str], Actor]] = ACTORS, lost_answers: int = 0) -> int:
    found = try_every_order(
        names, actors=actors, place=place, log_type=LogOfRanges, lost_answers=lost_answers
    )
    return found.ends


@pytest.mark.parametrize(
    ("names", "lost_answers"),
    [
        (("victim", "eager claimer"), 1),
        (("victim again", "eager claimer"), 0),
        (("victim", "victim again", "claimer"), 0),
        (("victim", "claimer", "claimer again"), 1),
        (("victim", "claimer", "second claimer"), 0),
        (("victim", "claimer", "closer"), 0),
        (("claimer", "claimer again", "closer"), 0),
        (("victim", "claimer", "closer of claimer"), 1),
        (("eager claimer", "closer of victim"), 1),
    ],
)
def test_what_moves_has_one_outcome_and_nothing_is_left_behind(
    names: tuple[str, ...], lost_answers: int
) -> None:
    assert try_all(*names, lost_answers=lost_answers) > 1


@pytest.mark.parametrize(
    ("names", "lost_answers"),
    [
        (("victim", "hedger"), 1),
        (("victim", "hedger", "hedger"), 0),
        (("victim", "hedger", "hedger of last"), 0),
        (("victim", "victim again", "hedger"), 0),
        (("victim", "claimer", "hedger of last"), 0),
        (("claimer", "claimer again", "hedger of claimed"), 0),
        (("victim", "hedger", "closer"), 0),
        (("claimer", "hedger of claimed", "closer"), 0),
        (("hedger", "closer of victim"), 1),
    ],
)
def test_what_runs_twice_has_one_outcome_and_nothing_else_is_lost(
    names: tuple[str, ...], lost_answers: int
) -> None:
    assert try_all(*names, lost_answers=lost_answers) > 1


def run(log: Log, steps: Actor, count: int = 1_000) -> Running:
    """Let an actor take *count* steps at most."""
    actor = Running(steps)
    actor.send(None)
    for _ in range(count):
        if actor.step is None:
            break
        actor.send(log.answer(actor.step))
    return actor


def owners(log: Log) -> list[str]:
    return [str(event.result) for _, event in sorted(log.seen.items())]  # type: ignore[union-attr] # all complete


def test_a_claimer_takes_the_second_half_of_what_has_not_begun_and_its_owner_does_the_rest() -> None:
    # given a victim that has ended one of three instances
    log = LogOfRanges(place)
    slow = run(log, victim("victim"), count=1)

    # when another container claims, and a second one finds what both have not begun
    first = Running(claimer("first"))
    first.send(None)
    while not log.blocks.get((VICTIM, 1)):
        first.send(log.answer(first.step))  # type: ignore[arg-type] # it is at work
    second = run(log, claimer("second", share=2))

    # then each does its own part
    while slow.step is not None:
        slow.send(log.answer(slow.step))
    while first.step is not None:
        first.send(log.answer(first.step))
    assert owners(log)[:3] == ["victim", "second", "first"]
    assert [actor.lost for actor in (slow, first, second)] == [False] * 3


class TestWhatTheModelFinds:
    """The model is only worth something if it finds what is wrong with a protocol that is."""

    def test_a_claim_of_what_has_begun_gives_second_outcomes(self) -> None:
        def greedy(owner: str) -> Actor:
            home = done_with(1, owner)
            blocks = yield ReadBlocks(VICTIM, 0)
            announced = yield from announce(home, 1, Claimable(VICTIM, len(blocks), 1, 2))
            yield from settle(HOMES[1], announced, owner)
            yield from work(begin(VICTIM.part(1, 2), owner), range(1, 3))

        with pytest.raises(Violation, match="second outcome"):
            try_all("victim", "greedy", actors=ACTORS | {"greedy": greedy})

    def test_who_works_on_a_claim_that_was_refused_gives_second_outcomes(self) -> None:
        def deaf(owner: str) -> Actor:
            home = done_with(1, owner)
            found = find_in((yield from look(VICTIM)))
            if found is not None:
                announced = yield from announce(home, 1, found)
                yield from settle(HOMES[1], announced, owner)
                yield from work(
                    begin(VICTIM.part(found.first, found.last), owner), range(found.first, found.last + 1)
                )

        with pytest.raises(Violation, match="second outcome"):
            try_all("victim", "deaf", actors=ACTORS | {"deaf": deaf})

    def test_a_victim_that_does_not_drop_what_is_gone_gives_second_outcomes(self) -> None:
        def stubborn(owner: str) -> Actor:
            owned = begin(VICTIM, owner)
            for index in range(3):
                while not (yield from owned.append(outcome_of(index, owner))):
                    pass

        with pytest.raises(Violation, match="second outcome"):
            try_all("stubborn", "claimer", actors=ACTORS | {"stubborn": stubborn})

    def test_a_copy_that_is_brought_in_unread_gives_second_outcomes(self) -> None:
        def rash(owner: str) -> Actor:
            sequence = 0
            block = Block(VICTIM, sequence, 0, owner, body(job_completed(0, result=owner, hedged_by=2)))
            while (yield AppendBlock(block)) is not None:
                sequence += 1
                block = block._replace(sequence=sequence)

        with pytest.raises(Violation, match="second outcome"):
            try_all("victim", "rash", actors=ACTORS | {"rash": rash})

    def test_an_owner_that_does_not_drop_what_a_copy_has_done_gives_second_outcomes(self) -> None:
        def stubborn(owner: str) -> Actor:
            owned = begin(VICTIM, owner)
            for index in range(3):
                while not (yield from owned.append(outcome_of(index, owner))):
                    pass

        with pytest.raises(Violation, match="second outcome"):
            try_all("stubborn", "hedger", actors=ACTORS | {"stubborn": stubborn})

    def test_a_claim_that_is_not_announced_is_lost_with_its_container(self) -> None:
        def silent(owner: str) -> Actor:
            found = find_in((yield from look(VICTIM)))
            if found is not None:
                announced = found.announce(1, 3, at(0))
                if (yield from settle(HOMES[1], announced, owner)):
                    part = VICTIM.part(found.first, found.last)
                    yield from work(begin(part, owner), range(part.first, part.last + 1))

        with pytest.raises(Violation, match="all have ended"):
            try_all("victim", "silent", "claimer again", actors=ACTORS | {"silent": silent})

    def test_without_a_fence_where_claims_are_announced_one_that_slept_claims_behind_its_successor(
        self,
    ) -> None:
        def careless(owner: str) -> Actor:
            home, blocks = yield from take_over(HOMES[1], owner)
            yield from work(home, unfinished(HOMES[1], read_events(blocks)))
            for announced in announced_in(blocks):
                if (yield from settle(HOMES[1], announced, owner)):
                    part = VICTIM.part(announced.first, announced.last)
                    taken, blocks = yield from take_over(part, owner)
                    yield from work(taken, unfinished(part, read_events(blocks)))

        actors = ACTORS | {"claimer again": careless}
        with pytest.raises(Violation, match="all have ended"):
            try_all("victim", "claimer", "claimer again", actors=actors)

    def test_a_closer_that_does_not_follow_claims_leaves_what_has_gone(self) -> None:
        def blind(owner: str) -> Actor:
            for instances in (VICTIM, HOMES[1]):
                yield from close(instances, owner, closings(owner))

        with pytest.raises(Violation, match="all have ended"):
            try_all("claimer", "closer", actors=ACTORS | {"closer": blind})


def test_a_claim_that_cannot_be_leaves_the_instances_where_they_are() -> None:
    for first, last in ((0, 2), (1, 3), (2, 1)):
        claim = InstancesClaimed(orchestration_id=ORCHESTRATION_ID, at=at(0), index=first, last=last, share=1)
        block = Block(VICTIM, 0, 0, "claimer", body(claim))
        assert block.claim() is None
        assert unfinished(VICTIM, block.readable_events()) == [0, 1, 2]


ROUNDS = 150


def test_what_moves_on_from_who_claimed_it_has_one_outcome_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many orders to try them all: forty instances, up to seven actors, and steps in an order that is drawn."""
    module = sys.modules[__name__]
    monkeypatch.setattr(module, "VICTIM", VICTIM.part(0, 39))
    monkeypatch.setattr(module, "HOMES", {1: VICTIM.part(40, 40), 2: VICTIM.part(41, 41)})
    actors = ACTORS | {"second claimer": partial(claimer, share=2, times=9)}
    claims_of_claims = 0
    for seed in range(ROUNDS):
        draw = random.Random(seed)
        log = LogOfRanges(place)
        names = ["victim", "eager claimer", "second claimer", *draw.sample(sorted(ACTORS), seed % 5)]
        at_work = [Running(actors[name](f"{name} {number}"), name) for number, name in enumerate(names)]
        for actor in at_work:
            actor.send(None)
        while at_work := [actor for actor in at_work if actor.step is not None]:
            # Else all that is claimed from a range is done with before another looks at it.
            (actor,) = draw.choices(at_work, [1 if actor.name == "eager claimer" else 3 for actor in at_work])
            actor.send(log.answer(actor.step))  # type: ignore[arg-type] # it is at work
        run(log, closer("closer"))
        assert set(range(40)) <= log.seen.keys()
        claims_of_claims += any(block.claim() and block.range != VICTIM for block in log.blocks.values())
    assert claims_of_claims > ROUNDS / 20
