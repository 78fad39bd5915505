"""Loops that wait, written once as generators of steps, and the two drivers that run them.

A generator of steps decides what happens next, and never blocks: it yields a step, the driver carries it out,
blocking or on an event loop, and sends the answer back or throws the error in.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import AsyncExitStack, ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Generic, Protocol, TypeVar

_S = TypeVar("_S")
_T = TypeVar("_T")
_PAGE: Final = 1_000
"""Items that one step reads at a time where they come one by one."""


class Step(Protocol):
    """Something to do before the generator goes on."""

    def run(self, resources: ExitStack, /) -> Any:  # noqa: ANN401 -- the answer of the step
        """Do it, and return the answer; *resources* are closed when the driver ends."""

    async def run_async(self, resources: AsyncExitStack, /) -> Any:  # noqa: ANN401 -- the answer of the step
        """Do the same without holding up the event loop."""


@dataclass(frozen=True, slots=True)
class Emit(Generic[_T]):
    """An item for the caller of the driver."""

    item: _T


Steps = Generator[Step | Emit[_T], Any, None]
"""A loop that emits items to its caller."""
Task = Generator[Step, Any, _T]
"""A loop that returns an answer at its end."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A wait, which holds no thread on an event loop."""

    seconds: float

    def run(self, _resources: ExitStack) -> None:
        """Sleep."""
        time.sleep(self.seconds)

    async def run_async(self, _resources: AsyncExitStack) -> None:
        """Sleep."""
        await asyncio.sleep(self.seconds)


@dataclass(frozen=True, slots=True)
class Call:
    """A call that blocks, and that runs in a thread on an event loop."""

    function: Callable[[], Any]

    def run(self, _resources: ExitStack) -> Any:  # noqa: ANN401 -- whatever the function returns
        """Call the function."""
        return self.function()

    async def run_async(self, _resources: AsyncExitStack) -> Any:  # noqa: ANN401 -- whatever the function returns
        """Call the function in a thread."""
        return await asyncio.to_thread(self.function)


def call(function: Callable[[], _T]) -> Task[_T]:
    """Have the driver call *function*, and return its value.

    Used as ``value = yield from call(read)``.
    """
    answer: _T = yield Call(function)
    return answer


def emit_each(items: Iterable[_T]) -> Steps[_T]:
    """Emit *items*, whose iterator may block, a thousand at a time."""
    iterator = iter(items)
    while page := (yield from call(lambda: list(islice(iterator, _PAGE)))):
        for item in page:
            yield Emit(item)


def for_each(steps: Steps[_S], act: Callable[[_S], Steps[_T]]) -> Steps[_T]:
    """Run *steps* as a part of others, which *act* on each item instead of emitting it."""
    answer, error = None, None
    with closing(steps):
        while (step := _advance(steps, answer, error)) is not None:
            answer, error = None, None
            if isinstance(step, Emit):
                yield from act(step.item)
                continue
            try:
                answer = yield step
            except Exception as failure:  # noqa: BLE001 -- the steps decide what an error means
                error = failure


def run_steps(steps: Steps[_T]) -> Generator[_T, None, None]:
    """Run *steps* in this thread, and yield what they emit."""
    answer, error = None, None
    with ExitStack() as resources:
        resources.callback(steps.close)
        while (step := _advance(steps, answer, error)) is not None:
            answer, error = None, None
            if isinstance(step, Emit):
                yield step.item
                continue
            try:
                answer = step.run(resources)
            except Exception as failure:  # noqa: BLE001 -- the steps decide what an error means
                error = failure


async def run_steps_async(steps: Steps[_T]) -> AsyncGenerator[_T, None]:
    """Run *steps* on the event loop, and yield what they emit."""
    answer, error = None, None
    async with AsyncExitStack() as resources:
        resources.callback(steps.close)
        while (step := _advance(steps, answer, error)) is not None:
            answer, error = None, None
            if isinstance(step, Emit):
                yield step.item
                continue
            try:
                answer = await step.run_async(resources)
            except Exception as failure:  # noqa: BLE001 -- the steps decide what an error means
                error = failure


def run_task(task: Task[_T]) -> _T:
    """Run *task* in this thread, and return its answer."""
    (answer,) = run_steps(_emit_answer(task))
    return answer


async def run_task_async(task: Task[_T]) -> _T:
    """Run *task* on the event loop, and return its answer."""
    (answer,) = [answer async for answer in run_steps_async(_emit_answer(task))]
    return answer


def _emit_answer(task: Task[_T]) -> Steps[_T]:
    yield Emit((yield from task))


def _advance(steps: Steps[_T], answer: object, error: Exception | None) -> Step | Emit[_T] | None:
    """Hand *answer* or *error* to *steps*, and return the next step; None at the end."""
    try:
        return steps.send(answer) if error is None else steps.throw(error)
    except StopIteration:
        return None
