"""What jobs raise, fork and leave behind over moto: it is the failure of their instance, and of no other."""

import _thread
import asyncio
import contextlib
import math
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from background_jobs import JobContext, OrchestrationService, Retry, RetryAfter, job_name
from background_jobs.aws.stores import Stores
from background_jobs.core.events import JobCompleted, JobErrored
from background_jobs.jobs import Jobs
from background_jobs.worker import coroutines


class Mute(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


class Sour(Exception):
    @property
    def __notes__(self) -> list[str]:  # type: ignore[override] # which is what goes wrong
        raise RuntimeError("no notes")


@dataclass(frozen=True)
class Frozen(Exception):
    code: int


class Selfish(RetryAfter):
    """It does not call its parent's `__init__`."""

    def __init__(self, answer: str) -> None:
        self.answer = answer


class Waitless(RetryAfter):
    @property
    def wait(self) -> float | None:
        raise KeyError("Retry-After")


class Masked(Exception):
    @property  # type: ignore[misc] # the same
    def __class__(self) -> type:
        raise RuntimeError("no class")


def interrupt_main() -> BaseException:
    _thread.interrupt_main()
    time.sleep(60)
    return AssertionError("not interrupted")


RAISED: dict[str, Callable[[], BaseException]] = {
    "cancelled": lambda: asyncio.CancelledError("by itself"),
    "mute": Mute,
    "name": lambda: FileNotFoundError("caf\udce9.csv"),
    "generator": GeneratorExit,
    "interrupt": KeyboardInterrupt,
    "interrupt main": interrupt_main,
    "exit": lambda: SystemExit(70),
    "notes": lambda: Sour("x"),
    "syntax": lambda: SyntaxError("bad template", ("page.html", 3, "{{ x", "7")),  # type: ignore[arg-type] # the same
    "epoch": lambda: RetryAfter(1_764_158_400_000.0),
    "nan": lambda: RetryAfter(math.nan),
    "frozen": lambda: Frozen(7),
    "selfish": lambda: Selfish("busy"),
    "selfish by keyword": lambda: Selfish(answer="busy"),
    "waitless": lambda: Waitless(1),
    "masked": lambda: Masked("x"),
}


@job_name("raise", retry=Retry(max_attempts=3, retry_on=("RetryAfter",)))
def raise_it(params: dict[str, str], job: JobContext) -> str:
    job.progress(50, "reading caf\udce9.csv")
    if params["what"] in RAISED:
        error = RAISED[params["what"]]()
        raise error
    return "well"


def test_whatever_a_job_raises_is_the_failure_of_its_instance_alone(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    orchestration = service.kick_off_job("raise", [{"what": what} for what in (*RAISED, "")], parallelism=1)
    launch(orchestration, jobs=Jobs([raise_it]))
    aggregate()

    (success,), failures = service.get_job_results(orchestration.id, timeout=0)

    assert success.index == len(RAISED)
    assert [(f.error.type, f.error.message) for f in failures or []] == [
        ("asyncio.exceptions.CancelledError", "by itself"),
        ("tests.adapters.test_hostile_jobs.Mute", "(its message cannot be made: KeyboardInterrupt)"),
        ("FileNotFoundError", "caf\\udce9.csv"),
        ("GeneratorExit", ""),
        ("KeyboardInterrupt", ""),
        ("KeyboardInterrupt", ""),
        ("SystemExit", "70"),
        ("tests.adapters.test_hostile_jobs.Sour", "x"),
        ("SyntaxError", "bad template (page.html, line 3)"),
        ("background_jobs.RetryAfter", str(RetryAfter(1_764_158_400_000.0))),
        ("background_jobs.RetryAfter", str(RetryAfter(math.nan))),
        ("tests.adapters.test_hostile_jobs.Frozen", "7"),
        ("tests.adapters.test_hostile_jobs.Selfish", str(RetryAfter("busy"))),  # type: ignore[arg-type] # as it may be given
        ("tests.adapters.test_hostile_jobs.Selfish", str(RetryAfter(math.nan))),
        ("tests.adapters.test_hostile_jobs.Waitless", "(its message cannot be made: KeyError)"),
        ("tests.adapters.test_hostile_jobs.Masked", "x"),
    ]
    assert [f.attempts for f in failures or []] == [1] * len(RAISED)
    # each says where it was raised
    assert ["raise_it" in f.error.traceback for f in failures or []] == [True] * len(RAISED)


def test_an_interrupt_that_comes_after_its_attempt_ends_nothing(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    """A thread of a job may call interrupt_main at any moment."""

    @job_name("late")
    def late(params: dict[str, int]) -> int:
        if params["n"] == 1:
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        return params["n"]

    params = [{"n": n} for n in range(2_000)]
    orchestration = service.kick_off_job("late", params, parallelism=1)
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        launch(orchestration, jobs=Jobs([late]))
    finally:
        signal.signal(signal.SIGINT, before)
    aggregate()

    successes, failures = service.get_job_results(orchestration.id, timeout=0)

    # the instance that ran at that moment, if any, is the only one that it can end
    assert len(successes) + len(failures or []) == len(params)
    assert {failure.error.type for failure in failures or []} <= {"KeyboardInterrupt"}


REPORTS: list[tuple[Any, Any]] = [
    (10, None),
    (math.nan, "nan"),
    (math.inf, "inf"),
    (None, "none"),
    ("most", "text"),
    (10**400, 7),
    (20, Mute()),
]


def test_a_report_of_progress_never_ends_its_attempt_whatever_it_says(
    service: OrchestrationService, launch: Callable[..., None], stores: Stores
) -> None:
    @job_name("report")
    def report(params: dict[str, Any], job: JobContext) -> str:
        threads = [threading.Thread(target=job.progress, args=report) for report in REPORTS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for percent, message in REPORTS:
            job.progress(percent, message)
        return "reported"

    orchestration = service.kick_off_job("report", [{}])
    launch(orchestration, jobs=Jobs([report]))

    (outcome,) = stores.event_log.read_outcomes(orchestration.id, 0, 0)
    assert isinstance(outcome, JobCompleted)


@job_name("wait", retry=Retry(max_attempts=3, base_seconds=3_600))
def wait_long(params: dict[str, Any]) -> None:
    raise OSError("away")


def test_params_that_do_not_fit_their_job_are_not_tried_again(
    service: OrchestrationService, launch: Callable[..., None], stores: Stores
) -> None:
    @job_name("wait", retry=Retry(max_attempts=3, base_seconds=0.001))
    def wait(params: dict[str, int]) -> None:
        raise OSError("away")

    orchestration = service.kick_off_job("wait", [{"n": "many"}, {"n": 1}], parallelism=1)
    launch(orchestration, jobs=Jobs([wait]))

    unfit, away = stores.event_log.read_outcomes(orchestration.id, 0, 1)
    assert isinstance(unfit, JobErrored)
    assert (unfit.attempts, unfit.error.type) == (1, "background_jobs.GiveUp")
    assert unfit.error.message == "The params do not fit the job 'wait': n='many' must be a whole number."
    assert away.attempts == 3


def test_a_job_that_changes_its_params_changes_neither_its_next_attempt_nor_what_a_failure_tells(
    service: OrchestrationService, launch: Callable[..., None], stores: Stores
) -> None:
    seen: list[dict[str, Any]] = []

    @job_name("greedy", retry=Retry(max_attempts=2, base_seconds=0.01))
    def greedy(params: Any) -> None:
        seen.append(params.copy())
        params["connection"] = object()
        if params["n"]:
            raise ValueError

    orchestration = service.kick_off_job("greedy", [{"n": n} for n in (1, 0, 0)], parallelism=1)
    launch(orchestration, jobs=Jobs([greedy]))

    errored, *others = stores.event_log.read_outcomes(orchestration.id, 0, 2)
    assert isinstance(errored, JobErrored)
    assert errored.params == {"n": 1}
    assert [params for params in seen if params["n"]] == [{"n": 1}] * 2
    assert all(isinstance(outcome, JobCompleted) for outcome in others)


def test_an_error_whose_type_has_an_endless_name_is_the_failure_of_its_instance_alone(
    service: OrchestrationService, launch: Callable[..., None], stores: Stores
) -> None:
    @job_name("verbose")
    def verbose(params: dict[str, Any]) -> None:
        if params["n"]:
            name = random.Random(1).randbytes(600_000).hex()
            raise type(name, (Exception,), {"__qualname__": f"\udc80{name}"})

    orchestration = service.kick_off_job("verbose", [{"n": n} for n in (1, 0, 0)], parallelism=1)
    launch(orchestration, jobs=Jobs([verbose]))

    outcomes = stores.event_log.read_outcomes(orchestration.id, 0, 2)
    assert [isinstance(outcome, JobErrored) for outcome in outcomes] == [True, False, False]


def test_what_waits_for_its_retry_ends_with_the_orchestration(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    orchestration = service.kick_off_job("wait", [{}, {}], parallelism=1, timeout=2)
    launch(orchestration, jobs=Jobs([wait_long]))
    aggregate()
    _, failures = service.get_job_results(orchestration.id, timeout=0)
    assert [failure.error.type for failure in failures or []] == ["OrchestrationTimeout"] * 2


CHILDREN: dict[str, tuple[Callable[[], object], int]] = {
    "returns": (lambda: "from the child", 0),
    "exits": (lambda: sys.exit(0), 0),
    "exits with a status": (lambda: sys.exit(7), 7),
    "exits with a text": (lambda: sys.exit("no"), 1),
    "raises": (lambda: math.sqrt(-1), 1),
}


def test_a_child_that_a_job_forks_ends_where_the_job_ends_and_never_goes_on_with_the_share(
    service: OrchestrationService,
    launch: Callable[..., None],
    aggregate: Callable[[], Any],
    tmp_path: Path,
) -> None:
    runs = tmp_path / "runs"

    @job_name("forker")
    def forker(params: dict[str, str], job: JobContext) -> object:
        with runs.open("a") as file:
            file.write(f"{os.getpid()} {job.index}\n")
        if params["child"] not in CHILDREN:
            return None
        if (pid := os.fork()) == 0:
            job.progress(50, "from the child")
            return CHILDREN[params["child"]][0]()
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    orchestration = service.kick_off_job(
        "forker", [{"child": child} for child in (*CHILDREN, "none")], parallelism=1
    )
    launch(orchestration, jobs=Jobs([forker]))
    aggregate()

    successes, failures = service.get_job_results(orchestration.id, timeout=0)
    assert failures is None
    assert [success.result for success in successes] == [*(status for _, status in CHILDREN.values()), None]
    assert runs.read_text().split("\n")[:-1] == [f"{os.getpid()} {n}" for n in range(len(CHILDREN) + 1)]


LOOPS: "asyncio.Queue[int]" = asyncio.Queue(1)
FOUND: ContextVar[str] = ContextVar("FOUND", default="nothing")


def test_a_client_of_a_module_works_for_all_coroutines_of_a_container_and_nothing_else_is_left(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    """Such a client belongs to the event loop in which it was used first."""
    left: list[asyncio.Task[None]] = []

    @job_name("client")
    async def client(params: dict[str, int]) -> list[object]:
        async def put_later() -> None:
            await asyncio.sleep(0.01)
            await LOOPS.put(params["n"])

        putting = asyncio.create_task(put_later())
        left.append(asyncio.create_task(asyncio.sleep(600)))
        found = FOUND.get()
        FOUND.set("something")
        got = await LOOPS.get()
        await putting
        return [got, found, [task.cancelled() for task in left]]

    orchestration = service.kick_off_job("client", [{"n": n} for n in range(3)], parallelism=1)
    launch(orchestration, jobs=Jobs([client]))
    aggregate()

    successes, failures = service.get_job_results(orchestration.id, timeout=0)
    assert failures is None
    assert [success.result for success in successes] == [
        [n, "nothing", [True] * n + [False]] for n in range(3)
    ]


async def leave_a_task_that_cannot_be_cancelled() -> None:
    async def stay() -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(600)

    asyncio.get_running_loop().create_task(stay(), name="stays")
    await asyncio.sleep(0)


async def set_a_task_factory_that_makes_nothing() -> None:
    asyncio.get_running_loop().set_task_factory(lambda *_, **__: None)  # type: ignore[arg-type] # the same


async def shut_the_threads_down() -> None:
    await asyncio.get_running_loop().shutdown_default_executor()


@pytest.mark.parametrize(
    "leave",
    [leave_a_task_that_cannot_be_cancelled, set_a_task_factory_that_makes_nothing, shut_the_threads_down],
)
def test_what_an_instance_leaves_on_the_event_loop_does_not_reach_the_next(
    service: OrchestrationService,
    launch: Callable[..., None],
    aggregate: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
    leave: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    monkeypatch.setattr(coroutines, "_CANCEL_SECONDS", 0.01)

    @job_name("leave")
    async def leave_on_the_loop(params: dict[str, bool]) -> list[str]:
        found = [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "stays"]
        await asyncio.create_task(asyncio.to_thread(lambda: None))
        if params["leaves"]:
            await leave()
        return found

    orchestration = service.kick_off_job("leave", [{"leaves": True}, {"leaves": False}], parallelism=1)
    launch(orchestration, jobs=Jobs([leave_on_the_loop]))
    aggregate()

    successes, failures = service.get_job_results(orchestration.id, timeout=0)
    assert failures is None
    assert [success.result for success in successes] == [[], []]


def test_what_interrupts_a_coroutine_is_the_failure_of_its_instance_alone(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    ways: dict[str, Callable[[], object]] = {
        "interrupt": lambda: os.kill(os.getpid(), signal.SIGINT),
        "exit": lambda: sys.exit(3),
        "stop": lambda: asyncio.get_running_loop().stop(),
        "timeout": lambda: None,
    }

    @job_name("interrupted", timeout=0.5)
    async def interrupted(params: dict[str, str]) -> str:
        if params["way"] in ways:
            ways[params["way"]]()
            await asyncio.sleep(600)
        return "well"

    orchestration = service.kick_off_job(
        "interrupted", [{"way": way} for way in (*ways, "none")], parallelism=1
    )
    launch(orchestration, jobs=Jobs([interrupted]))
    aggregate()

    (success,), failures = service.get_job_results(orchestration.id, timeout=0)
    assert success.index == len(ways)
    assert [failure.error.type for failure in failures or []] == [
        "KeyboardInterrupt",
        "SystemExit",
        "RuntimeError",
        "AttemptTimeout",
    ]


@job_name("fork")
def fork_and_end(params: dict[str, Any]) -> int | None:
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
    child.start()
    child.terminate()
    child.join(60)
    status = child.exitcode
    child.kill()
    return status


def test_what_a_job_forks_ends_when_the_job_says_so(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    orchestration = service.kick_off_job("fork", [{}])
    launch(orchestration, jobs=Jobs([fork_and_end]))
    aggregate()
    (success,), _ = service.get_job_results(orchestration.id, timeout=0)
    assert success.result == -signal.SIGTERM
