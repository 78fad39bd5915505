"""A model of the log, and of actors who take their steps on it in every order.

An actor is a process that works on a range: a container's first launch, a relaunch, a closer. Its steps are
the calls that it makes of the log; between any two of them it may be frozen for as long as all the others
take to do everything that they ever do. So an actor that "comes back from the dead" is nothing but an order
of steps, and one that stays dead is an order's beginning: whatever must hold is checked after every step.
An answer may be lost, too: then the log did what it was asked, and the actor asks again.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from background_jobs.core.blocks import Block
from background_jobs.core.events import JobCompleted, JobErrored, JobEvent
from background_jobs.core.ownership import AppendBlock, RangeLost, ReadBlocks

Actor = Generator[ReadBlocks | AppendBlock, Any, Any]
Place = Callable[[Block], Any]


class Violation(AssertionError):
    """The log holds what it must never hold."""


@dataclass
class Log:
    """What DynamoDB does with the items of one range: it refuses a put whose place is taken, and no more."""

    place: Place = lambda block: block.sequence
    blocks: dict[Any, Block] = field(default_factory=dict)
    seen: dict[int, JobEvent] = field(default_factory=dict)
    """The outcome of each instance, as a reader saw it first."""

    def answer(self, step: ReadBlocks | AppendBlock) -> Any:
        if isinstance(step, ReadBlocks):
            found = sorted(self.blocks.values(), key=self.place)
            return [
                block for block in found if block.range == step.range and block.sequence >= step.from_sequence
            ]
        held = self.blocks.get(self.place(step.block))
        if held is None:
            self.blocks[self.place(step.block)] = step.block
            self.check(step.block)
        return held

    def check(self, appended: Block) -> None:
        """Each instance has one outcome, final from the moment it can be read."""
        for event in appended.events():
            if isinstance(event, JobCompleted | JobErrored):
                if event.index in self.seen:
                    raise Violation(f"a second outcome of {event.index}, by {appended.owner}")
                self.seen[event.index] = event

    def check_left(self, running: "Iterable[Running]") -> None:
        """Nothing is left over: a closer that has returned leaves every instance with an outcome."""
        if any(actor.closes and actor.done for actor in running) and len(self.seen) < 2:
            raise Violation("a closer returned, and an instance has no outcome")

    def events(self) -> Iterator[JobEvent]:
        for block in self.blocks.values():
            yield from block.events()


@dataclass
class Running:
    """An actor at work in one order of steps."""

    steps: Actor
    name: str = ""
    step: ReadBlocks | AppendBlock | None = None
    lost: bool = False
    answers: list[Any] = field(default_factory=list)

    @property
    def closes(self) -> bool:
        return self.name == "closer"

    @property
    def done(self) -> bool:
        return self.step is None

    def send(self, answer: Any) -> None:
        self.answers.append(answer)
        try:
            self.step = self.steps.send(answer)
        except StopIteration:
            self.step = None
        except RangeLost:
            self.step, self.lost = None, True


@dataclass(frozen=True)
class Found:
    """How much was tried."""

    states: int
    ends: int


def try_every_order(
    names: Sequence[str], *, lost_answers: int = 1, place: Place = lambda block: block.sequence,
    actors: Mapping[str, Callable[[str], Actor]], log_type: type[Log] = Log,
) -> Found:  # fmt: skip
    """Let the actors take their steps in every order; raise Violation where one leads to what must not be.

    An order is a list of moves ``(actor, answer is lost)``. What an actor does next follows from the answers
    that it got, so orders that lead to the same log and the same answers are gone into once.
    """
    pending: list[tuple[tuple[int, bool], ...]] = [()]
    known: set[object] = set()
    ends = 0
    while pending:
        moves = pending.pop()
        log, running = replay(names, moves, log_type(place), actors)
        answers = tuple(tuple(map(_hashable, actor.answers)) for actor in running)
        state = (frozenset(log.blocks.items()), answers, sum(lost for _, lost in moves))
        if state in known:
            continue
        known.add(state)
        log.check_left(running)
        left = [number for number, actor in enumerate(running) if not actor.done]
        ends += not left
        for number in left:
            pending.append((*moves, (number, False)))
            if sum(lost for _, lost in moves) < lost_answers and isinstance(
                running[number].step, AppendBlock
            ):
                pending.append((*moves, (number, True)))
    return Found(len(known), ends)


def _hashable(answer: Any) -> object:
    return tuple(answer) if isinstance(answer, list) else answer


def replay(
    names: Sequence[str],
    moves: Iterable[tuple[int, bool]],
    log: Log,
    actors: Mapping[str, Callable[[str], Actor]],
) -> tuple[Log, list[Running]]:
    running = [Running(actors[name](f"{name} {number}"), name) for number, name in enumerate(names)]
    for actor in running:
        actor.send(None)
    for number, answer_is_lost in moves:
        actor = running[number]
        assert actor.step is not None
        answer = log.answer(actor.step)
        if not answer_is_lost:
            actor.send(answer)
    return log, running
