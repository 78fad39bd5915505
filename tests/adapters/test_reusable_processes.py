"""After which shares a process may work on the next one: those of jobs with `reuse_process=True`."""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from background_jobs import OrchestrationService, job_name
from background_jobs.jobs import Jobs
from background_jobs.worker import process_cleanup
from background_jobs.worker.descendants import adopting_orphans, find_descendants
from background_jobs.worker.process_state import LEFT_THREADS, ProcessState, count_threads
from background_jobs.worker.supervisor import REUSABLE

Launch = Callable[..., int]


TEST_ENDED = threading.Event()


def leave(params: dict[str, Any]) -> None:
    """Do as the params say; whatever it is, the instance has its outcome."""
    match params.get("how"):
        case "a variable":
            os.environ["CUSTOMER"] = "acme"
        case "a thread":
            threading.Thread(target=TEST_ENDED.wait, daemon=True).start()
        case "many threads":
            for _ in range(300):
                threading.Thread(target=TEST_ENDED.wait, daemon=True).start()
        case "a child":
            os.posix_spawnp("sleep", ["sleep", "600"], os.environ)
        case "a pool":
            multiprocessing_child()
        case "an error":
            raise OSError("away")


def multiprocessing_child() -> None:
    """Leave a process of multiprocessing, which instances of one share may hand on."""
    import multiprocessing

    multiprocessing.get_context("fork").Process(target=time.sleep, args=[600], daemon=True).start()


kept = job_name("kept", reuse_process=True)(leave)
late = job_name("late", reuse_process=True, timeout=1)(lambda params: time.sleep(60 if params else 0))


@job_name("crowd", reuse_process=True, concurrency=2)
def crowd(params: dict[str, Any]) -> int:
    return sum(thread.name == "attempts" for thread in threading.enumerate())


@job_name("fresh")
def fresh(params: dict[str, Any]) -> None:
    pass


@job_name("alone", reuse_process=True)
async def alone(params: dict[str, Any]) -> int:
    return id(asyncio.get_running_loop())


@job_name("together", reuse_process=True, concurrency=2)
async def together(params: dict[str, Any]) -> int:
    return id(asyncio.get_running_loop())


JOBS = Jobs([kept, late, crowd, fresh, alone, together])


@pytest.fixture(autouse=True)
def _what_other_tests_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the threads and children that this process has by now: the CDK's kernel is a child."""
    children = set(find_descendants(os.getpid()))
    monkeypatch.setattr(process_cleanup, "LEFT_THREADS", count_threads() + LEFT_THREADS)
    monkeypatch.setattr(process_cleanup, "has_children", lambda: find_descendants(os.getpid(), children))


@pytest.fixture(autouse=True)
def _no_threads_for_other_tests() -> Iterator[None]:
    TEST_ENDED.clear()
    yield
    TEST_ENDED.set()


@pytest.fixture
def status_after(service: OrchestrationService, launch: Launch) -> Callable[[str], int]:
    """Return what the process of a share ends with, of which the last instance does as it is told."""

    def status_after(how: str) -> int:
        job = "late" if how == "a timeout" else "kept"
        orchestration = service.kick_off_job(job, [{}, {"how": how}], parallelism=1)
        with adopting_orphans():
            return launch(orchestration, jobs=JOBS)

    return status_after


@pytest.mark.parametrize("how", ["nothing", "a variable", "a thread", "a child", "an error"])
def test_a_process_that_is_as_it_was_may_work_on_the_next_share(
    status_after: Callable[[str], int], how: str
) -> None:
    assert status_after(how) == REUSABLE
    assert "CUSTOMER" not in os.environ


@pytest.mark.parametrize("how", ["many threads", "a pool", "a timeout"])
def test_a_process_ends_with_its_share_after_what_only_its_end_undoes(
    status_after: Callable[[str], int], how: str
) -> None:
    assert status_after(how) == 0


def test_a_process_ends_with_its_share_when_it_cannot_be_put_back_after_the_last_instance(
    service: OrchestrationService, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a share of one instance, after which nobody would look
    monkeypatch.setattr(ProcessState, "restore", lambda _: "it cannot be undone")
    orchestration = service.kick_off_job("kept", [{}])
    assert launch(orchestration, jobs=JOBS) == 0


def test_a_process_ends_with_a_share_that_was_cancelled(
    service: OrchestrationService, launch: Launch
) -> None:
    orchestration = service.kick_off_job("kept", [{}])
    orchestration.cancel("seen enough")
    assert launch(orchestration, jobs=JOBS) == 0


def test_a_process_ends_with_its_share_unless_the_job_says_otherwise(
    service: OrchestrationService, launch: Launch
) -> None:
    assert launch(service.kick_off_job("fresh", [{}]), jobs=JOBS) == 0


@pytest.mark.parametrize("job", ["crowd", "alone", "together"])
def test_threads_and_event_loops_stay_for_the_next_share_with_the_clients_that_are_bound_to_them(
    service: OrchestrationService, launch: Launch, aggregate: Callable[[], Any], job: str
) -> None:
    found = []
    for _ in ("a share", "the next"):
        orchestration = service.kick_off_job(job, [{}], parallelism=1)
        assert launch(orchestration, jobs=JOBS) == REUSABLE
        aggregate()
        found += [success.result for success in service.get_job_results(orchestration.id, timeout=0)[0]]
    assert len(found) == 2
    assert len(set(found)) == 1
