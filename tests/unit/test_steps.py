"""Steps, and the two drivers that run them."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing, closing

import pytest

from background_jobs.orchestration_service.steps import (
    Emit,
    Pause,
    Steps,
    Task,
    call,
    for_each,
    run_steps,
    run_steps_async,
    run_task,
    run_task_async,
)


def drive(steps: Steps[int]) -> list[int]:
    return list(run_steps(steps))


def drive_async(steps: Steps[int]) -> list[int]:
    async def collect() -> list[int]:
        return [item async for item in run_steps_async(steps)]

    return asyncio.run(collect())


DRIVERS = pytest.mark.parametrize("driver", [drive, drive_async])


def fail() -> int:
    raise ConnectionError


@DRIVERS
def test_the_error_of_a_call_can_be_handled_by_the_steps(driver: Callable[[Steps[int]], list[int]]) -> None:
    def steps() -> Steps[int]:
        yield Emit(1)
        try:
            yield from call(fail)
        except ConnectionError:
            yield Pause(0)
            yield Emit(2)

    assert driver(steps()) == [1, 2]
    assert driver(for_each(steps(), emit_twice)) == [1, 1, 2, 2]


def emit_twice(item: int) -> Steps[int]:
    yield Emit(item)
    yield Emit((yield from call(lambda: item)))


@DRIVERS
def test_an_error_that_the_steps_do_not_handle_reaches_the_caller(
    driver: Callable[[Steps[int]], list[int]],
) -> None:
    def steps() -> Steps[int]:
        yield Emit((yield from call(fail)))

    with pytest.raises(ConnectionError):
        driver(steps())


def test_a_task_has_the_same_answer_from_both_drivers() -> None:
    def task() -> Task[int]:
        yield Pause(0)
        return (yield from call(lambda: 3))

    assert run_task(task()) == asyncio.run(run_task_async(task())) == 3


def test_what_an_early_end_leaves_open_is_closed() -> None:
    """Callers often leave a loop early, and its connection must not stay open."""
    closed: list[str] = []

    class Open:
        """A step that opens something, which the driver closes."""

        def run(self, resources: object) -> None:
            resources.callback(closed.append, "resource")  # type: ignore[attr-defined]

        async def run_async(self, resources: object) -> None:
            self.run(resources)

    def steps() -> Steps[int]:
        try:
            yield Open()
            yield Emit(1)
            yield Emit(2)
        finally:
            closed.append("steps")

    async def take_one() -> int:
        async with aclosing(run_steps_async(for_each(steps(), emit_twice))) as items:
            return await anext(items)

    with closing(run_steps(steps())) as items:
        assert next(items) == 1
    assert closed == ["resource", "steps"]
    assert asyncio.run(take_one()) == 1
    assert closed == ["resource", "steps"] * 2
