"""Several instances of a share at once in one container, in this process."""

import asyncio
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, cast

import pytest

from background_jobs import Failure, JobContext, OrchestrationService, Retry, Success, job_name
from background_jobs.aws.stores import Stores
from background_jobs.core.events import ContainerEnded, JobAttemptFailed, JobStarted
from background_jobs.jobs import Jobs
from background_jobs.orchestration_service import Orchestration
from background_jobs.worker.blame import Blame, Verdict
from background_jobs.worker.current_attempt import SharedCurrentAttempt
from background_jobs.worker.logs import ContainerLog
from background_jobs.worker.supervisor import REPLACED, Predecessor
from tests.adapters.jobs import Died
from tests.memory import append_events
from tests.offline import until
from tests.unit.histories import at
from tests.unit.test_logs import SETTINGS

AT_ONCE = 4
together = threading.Barrier(AT_ONCE)


@job_name("threads", concurrency=AT_ONCE)
def in_threads(params: dict[str, Any]) -> str:
    together.wait(60)
    return str(threading.get_ident())


arrived: list[int] = []


@job_name("coroutines", concurrency=AT_ONCE)
async def in_coroutines(params: dict[str, Any], job: JobContext) -> str:
    arrived.append(job.index)
    async with asyncio.timeout(60):
        while len(arrived) < AT_ONCE:  # noqa: ASYNC110 -- other instances set no event
            await asyncio.sleep(0.001)
    return str(threading.get_ident())


@job_name("processes", concurrency=AT_ONCE, process_per_instance=True)
def in_processes(params: dict[str, Any], job: JobContext) -> str:
    folder = Path(params["folder"])
    (folder / str(job.index)).touch()
    until(lambda: len(list(folder.iterdir())) >= AT_ONCE)
    return str(os.getpid())


def failed_attempts(orchestration: Orchestration, index: int) -> list[tuple[str, bool]]:
    """Return the type of error of each failed attempt, and whether it took one from the job's Retry."""
    events = orchestration._stores.event_log.read_all(orchestration.id, index + 1)
    return [(e.error.type, e.counts) for e in events if isinstance(e, JobAttemptFailed) and e.index == index]


def container_ends(orchestration: Orchestration) -> list[ContainerEnded]:
    events = orchestration._stores.event_log.read_orchestration(orchestration.id).events
    return [event for event in events if isinstance(event, ContainerEnded)]


Run = Callable[..., tuple[list[Success], list[Failure], Orchestration]]


@pytest.fixture
def run(service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]) -> Run:
    def run(
        job: Any, params: list[dict[str, Any]], **variables: str
    ) -> tuple[list[Success], list[Failure], Orchestration]:
        orchestration = service.kick_off_job(job, params, parallelism=1)
        launch(orchestration, jobs=Jobs([job]), **variables)
        aggregate()
        successes, failures = service.get_job_results(orchestration.id, timeout=0)
        return successes, failures or [], orchestration

    return run


@pytest.mark.parametrize("job", [in_threads, in_coroutines, in_processes])
def test_as_many_instances_run_at_once_as_the_job_says(run: Run, job: Any, tmp_path: Path) -> None:
    """Each waits until all of them run."""
    arrived.clear()
    successes, failures, _ = run(job, [{"folder": str(tmp_path)}] * AT_ONCE)
    assert failures == []
    assert [success.index for success in successes] == list(range(AT_ONCE))
    places = len({success.result for success in successes})
    assert places == (1 if job is in_coroutines else AT_ONCE)


over = threading.Event()
"""What waits for it waits in C, until the test has ended."""


@pytest.fixture(autouse=True)
def hold() -> Iterator[None]:
    over.clear()
    yield
    over.set()


RUNNING: list[int] = []
FAILED_ONCE = Retry(max_attempts=2, base_seconds=0.001)


@job_name("late", concurrency=2, timeout=1, retry=FAILED_ONCE)
def late_in_threads(params: dict[str, Any], job: JobContext) -> int:
    """Take too long at the first attempt, in Python or in C, while others run."""
    if job.attempt == 1 and params["how"] == "computing":
        while True:
            pass
    if job.attempt == 1 and params["how"] == "waiting":
        over.wait()
    return job.attempt


@job_name("late", concurrency=2, timeout=1, retry=FAILED_ONCE)
async def late_in_coroutines(params: dict[str, Any], job: JobContext) -> int:
    if job.attempt == 1 and params["how"] != "well":
        await asyncio.sleep(600)
    return job.attempt


@job_name("late", concurrency=2, timeout=1, retry=FAILED_ONCE, process_per_instance=True)
def late_in_processes(params: dict[str, Any], job: JobContext) -> int:
    return int(late_in_threads(params, job))


@pytest.mark.parametrize(
    ("job", "how"),
    [
        (late_in_threads, "computing"),
        (late_in_coroutines, "waiting"),
        (late_in_processes, "waiting"),
    ],
)
def test_an_attempt_that_takes_too_long_ends_alone(run: Run, job: Any, how: str) -> None:
    successes, failures, orchestration = run(job, [{"how": name} for name in (how, *["well"] * 9)])
    assert failures == []
    assert [success.result for success in successes] == [2, *[1] * 9]
    assert failed_attempts(orchestration, 0) == [("AttemptTimeout", True)]


shared: list[SharedCurrentAttempt] = []
overdue: list[int] = []


@job_name("held-up", concurrency=AT_ONCE, timeout=0.1)
async def hold_the_loop(params: dict[str, Any], job: JobContext) -> None:
    if params["how"] == "well":
        await asyncio.sleep(600)

    def find_overdue() -> list[int]:
        latest = time.monotonic() - 0.3  # the outer process is more patient
        return [current.index for current in shared[0].read_all() if current.deadline < latest]

    until(lambda: job.index in find_overdue())
    overdue.extend(find_overdue())


def test_only_the_coroutine_that_holds_the_loop_past_its_timeout_is_late(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others cannot hear of theirs, and are not to be blamed when their process is stopped by force."""
    publish = SharedCurrentAttempt.publish

    def publish_and_note(memory: SharedCurrentAttempt, *current: Any) -> None:
        shared[:] = [memory]
        publish(memory, *current)

    monkeypatch.setattr(SharedCurrentAttempt, "publish", publish_and_note)
    overdue.clear()
    run(hold_the_loop, [{"how": name} for name in (*["well"] * (AT_ONCE - 1), "ill")])
    assert overdue == [AT_ONCE - 1]


def test_before_an_attempt_may_hold_the_interpreter_it_is_said_that_nobody_does(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the outer process takes it for a container that runs one at a time."""
    said: list[bool] = []
    publish = SharedCurrentAttempt.publish

    def publish_and_note(memory: SharedCurrentAttempt, *current: Any) -> None:
        said.append(memory.seconds_since_turn() > 0)
        publish(memory, *current)

    monkeypatch.setattr(SharedCurrentAttempt, "publish", publish_and_note)
    run(late_in_threads, [{"how": "well"}])
    assert said == [True]


def test_a_thread_that_waits_past_its_timeout_holds_up_nobody_and_the_retry_has_a_fresh_process(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    """What waits in C cannot be interrupted, and must not run beside its own retry."""
    params = [{"how": name} for name in ("waiting", *["well"] * 9)]
    orchestration = service.kick_off_job("late", params, parallelism=1)
    # when the first process has done all but the retry
    launch(orchestration, jobs=Jobs([late_in_threads]))
    aggregate()
    summary = orchestration.summary()
    assert (summary.completed, summary.errored) == (9, 0)
    # then the next one does that
    launch(orchestration, jobs=Jobs([late_in_threads]))
    aggregate()
    successes, failures = service.get_job_results(orchestration.id, timeout=0)
    assert failures is None
    assert [success.result for success in successes] == [2, *[1] * 9]
    assert [ended.status for ended in container_ends(orchestration)] == [REPLACED, 0]


def test_a_thread_that_was_late_for_the_last_time_costs_nobody_a_process(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    @job_name("late", concurrency=3, timeout=0.5)
    def waits_or_not(params: dict[str, Any]) -> None:
        if params["waits"]:
            over.wait()

    params = [{"waits": index in {0, 4}} for index in range(8)]
    orchestration = service.kick_off_job("late", params, parallelism=1)
    launch(orchestration, jobs=Jobs([waits_or_not]))
    aggregate()
    successes, failures = service.get_job_results(orchestration.id, timeout=0)
    assert [failure.index for failure in failures or []] == [0, 4]
    assert [failure.error.type for failure in failures or []] == ["AttemptTimeout"] * 2
    assert len(successes) == 6
    assert [ended.status for ended in container_ends(orchestration)] == [0]


@job_name("crowd", concurrency=3, timeout=60)
def tell_attempt(params: dict[str, Any], job: JobContext) -> int:
    return job.attempt


def test_an_attempt_that_was_interrupted_because_of_another_costs_its_job_none(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any], stores: Stores
) -> None:
    # given a process that was stopped by force, for the second of three attempts did not notice its timeout
    orchestration = service.kick_off_job("crowd", [{}] * 4, parallelism=1)
    starts = [JobStarted(orchestration_id=orchestration.id, at=at(0), index=n, attempt=1) for n in range(3)]
    append_events(stores, *starts)
    verdicts = (Verdict.INTERRUPTED, Verdict.TIMED_OUT, Verdict.INTERRUPTED)
    blames = tuple(Blame(index, 1, "late", verdict) for index, verdict in enumerate(verdicts))
    # when another one goes on
    launch(orchestration, jobs=Jobs([tell_attempt]), predecessor=Predecessor(0, blames))
    aggregate()
    # then that one has failed, and the others run again
    successes, failures = service.get_job_results(orchestration.id, timeout=0)
    assert [(failure.index, failure.error.type) for failure in failures or []] == [(1, "AttemptTimeout")]
    assert [(success.index, success.result) for success in successes] == [(0, 2), (2, 2), (3, 1)]
    assert failed_attempts(orchestration, 0) == [("Interrupted", False)]


died: list[int] = []


@job_name("crowd", concurrency=3)
def die_in_a_crowd(params: dict[str, Any], job: JobContext) -> int:
    """End the container, once all that run beside this one are at it; note who ran beside whom."""
    RUNNING.append(job.index)
    try:
        if params["dies"]:
            if not died:
                until(lambda: len(RUNNING) == 3)
            died.append(len(RUNNING))
            raise Died
        if not died:
            until(lambda: died)
            time.sleep(600)
        return job.attempt
    finally:
        RUNNING.remove(job.index)


def test_who_ran_beside_an_instance_that_ended_its_container_is_not_blamed(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    # given three instances of which one ends their container, and nobody knows which
    RUNNING.clear()
    died.clear()
    params = [{"dies": index == 1} for index in range(7)]
    orchestration = service.kick_off_job("crowd", params, parallelism=1)
    with pytest.raises(Died):
        launch(orchestration, jobs=Jobs([die_in_a_crowd]))
    RUNNING.clear()
    # when it is launched again, until that one is known
    for _ in range(2):
        with pytest.raises(Died):
            launch(orchestration, jobs=Jobs([die_in_a_crowd]))
    launch(orchestration, jobs=Jobs([die_in_a_crowd]))
    aggregate()
    # then it ran alone before it was left out, and the others have lost no attempt of theirs
    assert died == [3, 1, 1]
    successes, failures = service.get_job_results(orchestration.id, timeout=0)
    assert [(failure.index, failure.error.type) for failure in failures or []] == [(1, "ContainerLost")]
    assert [success.result for success in successes] == [2, 2, 1, 1, 1, 1]
    assert failed_attempts(orchestration, 0) == [("ProcessLost", False)]


own_variable: ContextVar[int] = ContextVar("own_variable", default=-1)
meeting = threading.Barrier(2)


@job_name("own", concurrency=2)
def keep_own_in_threads(params: dict[str, Any], job: JobContext) -> list[object]:
    """Log, report and print, after another has done its own, which runs at the same time."""
    before = own_variable.get()
    own_variable.set(job.index)
    meeting.wait(60)
    job.progress(50, f"half of {job.index}")
    logging.getLogger("shop").warning("log of %d", job.index)
    print(f"print of {job.index}", end="")  # noqa: T201 -- what the log must have
    meeting.wait(60)
    return [before, own_variable.get(), job.index]


met: list[int] = []


@job_name("own", concurrency=2)
async def keep_own_in_coroutines(params: dict[str, Any], job: JobContext) -> list[object]:
    before = own_variable.get()
    own_variable.set(job.index)
    met.append(job.index)
    while len(met) % 2:  # noqa: ASYNC110 -- other instances set no event
        await asyncio.sleep(0.001)
    logging.getLogger("shop").warning("log of %d", job.index)
    print(f"print of {job.index}", end="")  # noqa: T201 -- what the log must have
    await asyncio.sleep(0.01)
    return [before, own_variable.get(), job.index]


@pytest.mark.parametrize("job", [keep_own_in_threads, keep_own_in_coroutines])
def test_what_runs_at_once_has_its_own_context_and_its_own_lines_in_the_log(
    run: Run, job: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    met.clear()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ContainerLog(SETTINGS).formatter("%(message)s"))
    logging.getLogger("shop").addHandler(handler)
    successes, _, _ = run(job, [{}] * 4)
    logging.getLogger("shop").removeHandler(handler)
    assert [success.result for success in successes] == [[-1, n, n] for n in range(4)]
    captured = capsys.readouterr()
    assert sorted(captured.err.splitlines()) == [f"[{n}/1] log of {n}" for n in range(4)]
    assert sorted(captured.out.splitlines()) == [f"[{n}/1] print of {n}" for n in range(4)]


@job_name("talker")
def talk(params: dict[str, Any], job: JobContext) -> None:
    """Print a line, a part of one, a progress bar and a line that is far too long."""
    print(f"line of {job.index}")  # noqa: T201 -- what the log must have
    print("10 %\r20 %\r30 %")  # noqa: T201 -- the same
    print("x" * 40_000)  # noqa: T201 -- the same
    print(f"end of {job.index}", end="")  # noqa: T201 -- the same


def test_what_instances_print_one_after_the_other_has_their_index_as_well(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run(talk, [{}] * 3, BACKGROUND_JOBS_LOG="here.log")
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for n in range(3):
        printed = [record["message"] for record in records if record["index"] == n]
        assert (printed[:2], printed[-1]) == ([f"line of {n}", "30 %"], f"end of {n}")
        pieces = printed[2:-1]
        assert ("".join(pieces), len(pieces) > 1) == ("x" * 40_000, True)


async def print_later(text: str) -> None:
    print(text)  # noqa: T201 -- what the log must have


@job_name("branching", concurrency=2)
async def print_in_branches(params: dict[str, Any]) -> None:
    """Begin a line, go on with it in a thread and in a task, and begin one in a thread that nobody ends."""
    print("begun ", end="")  # noqa: T201 -- what the log must have
    await asyncio.to_thread(print, "in a thread")
    print("begun again ", end="")  # noqa: T201 -- the same
    await asyncio.create_task(print_later("in a task"))
    await asyncio.to_thread(print, "not ended", end="")


def test_a_line_that_goes_on_in_a_thread_or_a_task_is_written_once(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run(print_in_branches, [{}])
    printed = [line.removeprefix("[0/1] ") for line in capsys.readouterr().out.splitlines()]
    assert printed == ["begun in a thread", "begun again in a task", "not ended"]


@job_name("moody", concurrency=4, retry=Retry(max_attempts=3, base_seconds=0.001))
def fail_at_first(params: dict[str, Any], job: JobContext) -> Any:
    if job.attempt <= params["failures"]:
        raise OSError("away")
    return "x" * 60_000 if params["failures"] else job.attempt


@job_name("moody", concurrency=4, retry=Retry(max_attempts=3, base_seconds=0.001))
async def fail_at_first_in_coroutines(params: dict[str, Any], job: JobContext) -> Any:
    return fail_at_first(params, job)


@pytest.mark.parametrize("job", [fail_at_first, fail_at_first_in_coroutines])
def test_retries_failures_and_large_results_are_those_of_their_instances(run: Run, job: Any) -> None:
    params = [{"failures": n % 4} for n in range(40)]
    successes, failures, orchestration = run(job, params)
    assert [success.index for success in successes] == [n for n in range(40) if n % 4 != 3]
    assert all(success.result == ("x" * 60_000 if success.index % 4 else 1) for success in successes)
    assert [(f.index, f.error.type, f.attempts) for f in failures] == [
        (n, "OSError", 3) for n in range(3, 40, 4)
    ]
    assert 'raise OSError("away")' in failures[0].error.traceback
    assert "background_jobs" not in failures[0].error.traceback
    assert failed_attempts(orchestration, 2) == [("OSError", True)] * 2


@job_name("patient", concurrency=3)
def wait_for_the_cancellation(params: dict[str, Any], job: JobContext) -> str:
    RUNNING.append(job.index)
    until(job.cancelled)
    return "saw it"


def test_a_cancellation_reaches_all_that_run_and_what_has_not_begun_never_does(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    RUNNING.clear()
    orchestration = service.kick_off_job("patient", [{}] * 5, parallelism=1)
    canceller = threading.Thread(target=lambda: until(lambda: len(RUNNING) == 3) and orchestration.cancel())
    canceller.start()
    launch(orchestration, jobs=Jobs([wait_for_the_cancellation]))
    canceller.join()
    aggregate()
    successes, failures = service.get_job_results(orchestration.id, timeout=0)
    assert [success.result for success in successes] == ["saw it"] * 3
    assert [failure.error.type for failure in failures or []] == ["Cancelled"] * 2


@job_name("untidy", concurrency=2)
async def leave_a_task(params: dict[str, Any], job: JobContext) -> list[str]:
    """Leave a task and another folder, and tell what was there before."""
    found = [str(Path.cwd()), *(task.get_name() for task in asyncio.all_tasks() if task.get_name() == "left")]
    os.chdir("/")
    loop = asyncio.get_running_loop()
    loop.create_task(asyncio.sleep(600), name="left")  # noqa: RUF006 -- that is what it leaves
    await asyncio.sleep(0)
    return found


def test_what_instances_leave_is_put_back_when_none_runs(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    """The second one begins in the log of the share after the first has ended, for it ended a container."""
    orchestration = service.kick_off_job("untidy", [{}] * 3, parallelism=1)
    events = service.orchestration(orchestration.id)._stores
    starts = [JobStarted(orchestration_id=orchestration.id, at=at(0), index=n, attempt=1) for n in range(3)]
    append_events(events, *starts)
    suspects = tuple(Blame(n, 1, "signal 9", Verdict.SUSPECTED) for n in range(3))
    launch(orchestration, jobs=Jobs([leave_a_task]), predecessor=Predecessor(0, suspects))
    aggregate()
    successes, failures = service.get_job_results(orchestration.id, timeout=0)
    assert failures is None
    assert [success.result for success in successes] == [[str(Path.cwd())]] * 3


@job_name("interrupting", concurrency=2)
async def interrupt_the_loop(params: dict[str, Any]) -> str:
    ways: dict[str, Callable[[], object]] = {
        "exit": lambda: sys.exit(3),
        "stop": asyncio.get_running_loop().stop,
        "cancel": cast("asyncio.Task[Any]", asyncio.current_task()).cancel,
    }
    ways.get(params["way"], bool)()
    await asyncio.sleep(0.01)
    return "well"


def test_what_interrupts_the_event_loop_is_the_failure_of_its_instance_at_most(run: Run) -> None:
    ways = ["exit", "none", "stop", "none", "cancel", "none"]
    successes, failures, _ = run(interrupt_the_loop, [{"way": way} for way in ways])
    assert [success.index for success in successes] == [1, 2, 3, 5]
    assert [(f.index, f.error.type) for f in failures] == [
        (0, "SystemExit"),
        (4, "asyncio.exceptions.CancelledError"),
    ]
