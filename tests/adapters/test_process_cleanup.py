"""What an instance leaves behind does not reach the next: one share, in this process."""

import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import pytest

from background_jobs import JobContext, OrchestrationService, Retry, job_name
from background_jobs.core.events import JobCompleted, JobEvent
from background_jobs.jobs import Jobs
from background_jobs.worker.descendants import adopting_orphans
from background_jobs.worker.process_cleanup import ProcessCleanup
from tests.offline import is_running


@job_name("untidy")
def untidy(params: dict[str, Any], job: JobContext) -> list[object]:
    """Tell what another instance left, and leave the same."""
    found: list[object] = [
        str(Path.cwd()),
        os.environ.get("CUSTOMER"),
        signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN,
    ]
    os.chdir("/proc")
    os.environ["CUSTOMER"] = "acme"
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    if params["fails"]:
        raise OSError("away")
    return found


def test_an_instance_finds_nothing_that_another_left_in_the_process(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    params = [{"fails": fails} for fails in (False, True, False)]
    orchestration = service.kick_off_job("untidy", params, parallelism=1)
    launch(orchestration, jobs=Jobs([untidy]))
    aggregate()
    successes, _ = service.get_job_results(orchestration.id, timeout=0)
    assert [success.result for success in successes] == [[str(Path.cwd()), None, False]] * 2


@job_name("children", timeout=60, retry=Retry(max_attempts=2, base_seconds=0.001))
def leave_children(params: dict[str, Any], job: JobContext) -> int | None:
    """Leave a child, or tell whether the one that another attempt left still runs."""
    pid_file = Path(params["pid"])
    if job.index == 1 or job.attempt == 2:
        return is_running(int(pid_file.read_text()))
    pid_file.write_text(str(os.posix_spawnp("sleep", ["sleep", "600"], os.environ, setsid=True)))
    if params.get("fails"):
        raise OSError("away")
    return None


@pytest.mark.parametrize("fails", [False, True])
def test_a_child_ends_with_the_attempt_that_left_it(
    service: OrchestrationService,
    launch: Callable[..., None],
    aggregate: Callable[[], Any],
    tmp_path: Path,
    fails: bool,  # noqa: FBT001 -- pytest passes it by name
) -> None:
    params = [{"pid": str(tmp_path / "pid"), "fails": fails}] * 2
    orchestration = service.kick_off_job("children", params, parallelism=1)
    launch(orchestration, jobs=Jobs([leave_children]))
    aggregate()
    successes, _ = service.get_job_results(orchestration.id, timeout=0)
    assert [success.result for success in successes] == ([False, False] if fails else [None, False])


POOL: list[ProcessPoolExecutor] = []


@job_name("pool")
def use_the_pool(params: dict[str, Any]) -> int:
    if not POOL:
        POOL.append(ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")))
    return POOL[0].submit(os.getpid).result(60)


def test_a_pool_of_processes_may_stay_from_instance_to_instance(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    orchestration = service.kick_off_job("pool", [{}] * 3, parallelism=1)
    launch(orchestration, jobs=Jobs([use_the_pool]))
    aggregate()
    successes, _ = service.get_job_results(orchestration.id, timeout=0)
    POOL.pop().shutdown()
    assert len({success.result for success in successes}) == 1
    assert len(successes) == 3


@job_name("slow", timeout=0.5)
def sleep_where_told(params: dict[str, Any]) -> str:
    if params["sleeps"]:
        time.sleep(600)
    return "well"


def test_a_helper_of_multiprocessing_that_was_there_before_outlives_what_took_too_long(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    """It counted as ended, and the share waited for a process that nobody started."""
    resource_tracker.ensure_running()
    orchestration = service.kick_off_job("slow", [{"sleeps": True}, {"sleeps": False}], parallelism=1)
    launch(orchestration, jobs=Jobs([sleep_where_told]))
    aggregate()
    (success,), failures = service.get_job_results(orchestration.id, timeout=0)
    assert success.index == 1
    assert [failure.error.type for failure in failures or []] == ["AttemptTimeout"]


def test_an_attempt_that_returned_keeps_its_outcome_where_the_process_cannot_be_cleaned_up() -> None:
    """Without a free descriptor, no process can be found."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)

    def attempt() -> JobEvent:
        os.posix_spawnp("sleep", ["sleep", "600"], os.environ)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
        return JobCompleted(orchestration_id="orchestration", at=datetime.now(UTC), index=0, attempts=1)

    with adopting_orphans(), ProcessCleanup(os.getpid()) as cleanup:
        try:
            event = cleanup.run(attempt)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert isinstance(event, JobCompleted)
    assert "what an instance started cannot be ended" in cleanup.failed


@job_name("tagger")
def change_the_tags(params: dict[str, Any], job: JobContext) -> dict[str, str]:
    found = dict(job.tags)
    job.tags["customer"] = "nobody"
    return found


def test_an_instance_that_changes_its_tags_changes_those_of_no_other(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    orchestration = service.kick_off_job("tagger", [{}] * 3, parallelism=1, tags={"customer": "acme"})
    launch(orchestration, jobs=Jobs([change_the_tags]))
    aggregate()
    successes, _ = service.get_job_results(orchestration.id, timeout=0)
    assert [success.result for success in successes] == [{"customer": "acme"}] * 3
