"""Warm workers of the offline stack: shares go to containers that stay, and losing one loses nothing."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from background_jobs import Cancellation, Orchestration, OrchestrationService
from background_jobs.aws.offer_queue import OfferQueue, find_queue
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.rebuild import check, differences
from background_jobs.core.containers.variables import SHARE_VARIABLES, task_family
from background_jobs.core.containers.warm import HIDDEN_SECONDS, WARM_QUEUE
from background_jobs.local_stack import LocalStack
from tests.offline import become_caller, is_running, until, warm_workers

JOBS: Final = Path(__file__).with_name("jobs.py")
PATIENCE: Final = 120
WARM: Final = 2
OWN: Final = ("BACKGROUND_JOBS_LOG", "BACKGROUND_JOBS_WARM", "BACKGROUND_JOBS_TASK_DEFINITION")
"""What tells the container of a share in a warm worker from a task that was launched for it, offline."""
THREADED: Final = """
import os, threading

from background_jobs import job_name, run_e11_job

threading.Thread(target=threading.Event().wait, daemon=True).start()


@job_name("ask")
def ask(params):
    return {"threads": threading.active_count(), "pid": os.getpid()}


if __name__ == "__main__":
    run_e11_job([ask])
"""

KEPT: Final = """
import os

from background_jobs import job_name, run_e11_job

loaded = []


@job_name("model", reuse_process=True)
def model(params):
    loaded.append(os.environ["ORCHESTRATION_ID"])
    print("printed in", os.environ["ORCHESTRATION_ID"])
    return {"pid": os.getpid(), "loaded": loaded}


if __name__ == "__main__":
    run_e11_job([model])
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack(jobs=str(JOBS), containers=2, warm=WARM) as stack:
        yield stack


@pytest.fixture
def stores(stack: LocalStack) -> Stores:
    return Stores.of(stack.settings)


@pytest.fixture
def service(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> OrchestrationService:
    """Call the stack once all workers are there, and none has a share."""
    service = become_caller(stack, monkeypatch)
    until(lambda: len(warm_workers(stack.stack_id)) == WARM)
    until_nothing_is_offered()
    return service


def until_nothing_is_offered() -> None:
    """Wait until no worker has a share, nor is to have one: a share is offered to idle workers only.

    A message that a worker received while it ended is hidden from the others for a while.
    """
    sqs = boto3.client("sqs")
    queue = OfferQueue(sqs, find_queue(sqs, task_family("local", "default")))
    until(lambda: not any(queue.backlog()), seconds=HIDDEN_SECONDS + PATIENCE)


def kick_off_patient(service: OrchestrationService, folder: Path, count: int) -> Orchestration:
    """Kick off instances that say that they run, and wait for a file; return once all run."""
    params = [{"running": str(folder / f"running-{n}"), "until": str(folder / "until")} for n in range(count)]
    orchestration = service.kick_off_job("patient", params)
    until(lambda: all(Path(one["running"]).exists() for one in params))
    return orchestration


def launches(orchestration: Orchestration) -> list[tuple[int, int, bool]]:
    """Return each launch of a share, and whether a warm worker had it."""
    return sorted((launch.share, launch.launch, launch.warm) for launch in orchestration.launches())


def test_workers_take_the_first_shares_as_containers_and_tasks_are_launched_for_the_rest(
    stack: LocalStack, service: OrchestrationService, stores: Stores
) -> None:
    names = sorted({*os.environ, *SHARE_VARIABLES, *OWN, WARM_QUEUE, *stack.settings.to_env()})
    # when one share more is kicked off than there are workers
    orchestration = service.kick_off_job("environment", [{"names": names}] * (WARM + 1))
    successes, failures = orchestration.results(PATIENCE)
    # then the workers had all but the last
    assert failures is None
    assert launches(orchestration) == [(0, 0, True), (1, 0, True), (2, 0, False)]
    # and a share has in a worker the variables that it has in a task
    warm, _, launched = (
        {name: value for name, value in success.result.items() if value is not None and name not in OWN}
        for success in sorted(successes, key=lambda success: success.index)
    )
    assert warm.keys() == launched.keys()
    of_share = {"JOB_ID", "JOB_INDICES", "JOB_SHARE", "JOB_PARAMS_BYTES"}
    assert {name for name in warm if warm[name] != launched[name]} <= of_share
    # and a log of its own
    assert len({launch.log for launch in orchestration.launches()}) == WARM + 1
    until(lambda: orchestration.summary().done)
    assert check(orchestration.id, stores).log == []
    assert differences(orchestration.id, stores) == []


def test_a_cancelled_share_ends_and_its_worker_takes_the_next(
    stack: LocalStack, service: OrchestrationService, tmp_path: Path
) -> None:
    before = {worker.pid for worker in warm_workers(stack.stack_id)}
    orchestration = kick_off_patient(service, tmp_path, WARM)
    assert orchestration.cancel("seen enough") is Cancellation.REQUESTED
    _, failures = orchestration.results(PATIENCE)
    assert {failure.error.type for failure in failures or []} == {"Cancelled"}
    until_nothing_is_offered()
    after = service.kick_off_job("total", [{"values": [1, 2]}])
    assert [success.result["total"] for success in after.results(PATIENCE).successes] == [3]
    assert launches(after) == [(0, 0, True)]
    assert {worker.pid for worker in warm_workers(stack.stack_id)} == before


def test_the_loss_of_a_worker_is_the_loss_of_a_container_and_nobody_elses(
    stack: LocalStack, service: OrchestrationService, stores: Stores, tmp_path: Path
) -> None:
    # given two instances in two workers
    orchestration = kick_off_patient(service, tmp_path, WARM)
    assert launches(orchestration) == [(0, 0, True), (1, 0, True)]
    # when one of the workers is lost
    lost, bystander = warm_workers(stack.stack_id)
    below = lost.children(recursive=True)
    lost.send_signal(signal.SIGKILL)
    # then nothing of its share runs on, the share is launched as a task, and the other one is left alone
    until(lambda: not any(is_running(process.pid) for process in below))
    until(lambda: len(launches(orchestration)) == WARM + 1)
    (tmp_path / "until").touch()
    successes, failures = orchestration.results(PATIENCE)
    assert (len(successes), failures) == (WARM, None)
    assert [launch[1:] for launch in launches(orchestration)].count((1, False)) == 1
    assert bystander.is_running()
    until(lambda: orchestration.summary().done)
    assert check(orchestration.id, stores).log == []
    # and another worker takes its place
    until(lambda: len(warm_workers(stack.stack_id)) == WARM)


def test_a_main_that_cannot_be_forked_is_run_anew_for_a_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fork would have lost the thread that the main has started."""
    main = tmp_path / "threaded.py"
    main.write_text(THREADED)
    with LocalStack(jobs=str(main), containers=1, warm=1) as stack:
        service = become_caller(stack, monkeypatch)
        (worker,) = until(lambda: warm_workers(stack.stack_id))
        orchestration = service.kick_off_job("ask", [{}])
        (success,) = orchestration.results(PATIENCE).successes
        assert success.result["threads"] >= 2
        assert success.result["pid"] != worker.pid
        assert launches(orchestration) == [(0, 0, True)]


def test_a_job_that_says_so_keeps_what_it_has_loaded_from_share_to_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = tmp_path / "model.py"
    main.write_text(KEPT)
    with LocalStack(jobs=str(main), containers=1, warm=1) as stack:
        service = become_caller(stack, monkeypatch)
        until(lambda: warm_workers(stack.stack_id))

        def run() -> tuple[Orchestration, dict[str, Any]]:
            until_nothing_is_offered()
            orchestration = service.kick_off_job("model", [{}])
            (success,) = orchestration.results(PATIENCE).successes
            assert launches(orchestration) == [(0, 0, True)]
            return orchestration, success.result

        # when two shares come one after the other
        (first, found), (second, found_later) = run(), run()
        # then the second finds what the first has loaded
        assert found_later == {"pid": found["pid"], "loaded": [first.id, second.id]}
        # and each has a log of its own, without what the other one printed
        for own, other in ((first, second), (second, first)):
            (launch,) = own.launches()
            log = Path(launch.log).read_text()
            assert f"printed in {own.id}" in log
            assert other.id not in log
        # and when the process is lost in between, a fresh one takes the next share
        os.kill(found["pid"], signal.SIGKILL)
        third, found_last = run()
        assert found_last["pid"] != found["pid"]
        assert found_last["loaded"] == [third.id]
        until(lambda: third.summary().done)
        assert check(third.id, Stores.of(stack.settings)).log == []


def test_after_a_deployment_new_shares_go_to_new_workers_and_old_ones_end(
    stack: LocalStack, service: OrchestrationService, tmp_path: Path
) -> None:
    """It comes last, for the emulator gives a message also to a worker that ended while it asked for one."""
    # given a share of the revision that is deployed
    old = kick_off_patient(service, tmp_path, 1)
    (revision,) = {launch.task_definition for launch in old.launches()}
    # when another revision is deployed, with workers of its own
    ecs: Any = boto3.client("ecs")
    definition = ecs.describe_task_definition(taskDefinition=revision)["taskDefinition"]
    fields = ("family", "containerDefinitions", "cpu", "memory", "networkMode", "requiresCompatibilities")
    deployed = ecs.register_task_definition(**{name: definition[name] for name in fields})["taskDefinition"]
    newer = f"{deployed['family']}:{deployed['revision']}"
    (cluster,) = ecs.list_clusters()["clusterArns"]
    (name,) = ecs.list_services(cluster=cluster)["serviceArns"]
    ecs.update_service(cluster=cluster, service=name, taskDefinition=newer)

    # then what is kicked off from now on never runs in an old worker, and soon in a new one
    def is_taken_by_new() -> bool:
        orchestration = service.kick_off_job("total", [{"values": [1, 2]}])
        orchestration.results(PATIENCE)
        warm = {launch.task_definition for launch in orchestration.launches() if launch.warm}
        assert warm <= {newer}
        return bool(warm)

    until(is_taken_by_new, PATIENCE)
    # and the share of the old one reaches its outcome, in its worker or handed back by it
    (tmp_path / "until").touch()
    (success,) = old.results(PATIENCE).successes
    assert success.result == "done"
    assert {launch.task_definition for launch in old.launches() if launch.warm} == {revision}
