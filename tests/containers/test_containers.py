"""What only real containers show: the image itself, limits, signals, and who it runs as."""

import subprocess
import sys
from pathlib import Path

import pytest

from background_jobs import Cancellation, Orchestration, OrchestrationService
from background_jobs.aws.stores import Stores
from background_jobs.core.events import ContainerStarted
from background_jobs.local_stack import InvalidJobsImage, LocalStack
from background_jobs.local_stack.docker_containers import STACK_LABEL
from background_jobs.local_stack.docker_launcher import ORCHESTRATION_LABEL
from tests.containers.conftest import MEMORY_MIB
from tests.offline import become_caller, until

PATIENCE = 120
LIST_UNCOMPILED = """
import os, sys
os.environ["AWS_DEFAULT_REGION"] = "eu-central-1"
from background_jobs import run_e11_job
from background_jobs.aws import clients
clients.dynamodb(), clients.s3()
specs = [module.__spec__ for module in sys.modules.values() if getattr(module, "__spec__", None)]
sources = [spec for spec in specs if spec.has_location and spec.origin.endswith(".py") and spec.cached]
print([spec.name for spec in sources if not os.path.exists(spec.cached)])
print([spec.name for spec in sources])
"""
# The first of them may install an engine, and builds the image.
pytestmark = pytest.mark.timeout(900)


def running(label: str, value: str) -> list[str]:
    command = ["docker", "ps", "--all", "--quiet", f"--filter=label={label}={value}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def signalled(orchestration: Orchestration, name: str) -> None:
    """Send a signal to the one container of an orchestration, as the engine's operator does."""
    (container,) = running(ORCHESTRATION_LABEL, orchestration.id)
    subprocess.run(["docker", "kill", f"--signal={name}", container], check=True, capture_output=True)


def has_begun(stores: Stores, orchestration: Orchestration, index: int) -> None:
    until(lambda: list(stores.event_log.read_starts(orchestration.id, index, index)))


def launches(stores: Stores, orchestration: Orchestration, total: int) -> int:
    events = stores.event_log.read_all(orchestration.id, total)
    return sum(isinstance(event, ContainerStarted) for event in events)


def test_every_instance_completes_in_containers_of_the_image(service: OrchestrationService) -> None:
    orchestration = service.kick_off_job("fussy", [{"n": n} for n in range(20)], parallelism=2)
    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)
    assert failures is None
    assert [(success.params["n"], success.result) for success in successes] == [
        (n, "good") for n in range(20)
    ]


def test_the_image_is_not_root_and_writes_nowhere_but_to_its_temporary_folder(
    service: OrchestrationService,
) -> None:
    orchestration = service.kick_off_job("surroundings", [{"paths": ["/", "/app", "/venv", "/tmp"]}])
    (success,) = service.get_job_results(orchestration.id, timeout=PATIENCE).successes
    assert success.result == {"uid": 10001, "gid": 10001, "writable": ["/tmp"]}


def test_a_container_compiles_nothing_when_it_starts(job_image: str) -> None:
    """It could not keep what it compiles, on a file system that is read-only."""
    command = [
        "docker",
        "run",
        "--rm",
        "--read-only",
        "--entrypoint=python",
        job_image,
        "-c",
        LIST_UNCOMPILED,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    uncompiled, imported = done.stdout.splitlines()
    assert "botocore.session" in imported
    assert "background_jobs.worker.container" in imported
    assert uncompiled == "[]"


def test_a_failure_has_its_params_its_traceback_and_its_log(service: OrchestrationService) -> None:
    orchestration = service.kick_off_job("fussy", [{}, {"bad": "apple"}, {}], parallelism=1)

    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)

    assert [success.index for success in successes] == [0, 2]
    (failure,) = failures or []
    assert (failure.index, failure.params) == (1, {"bad": "apple"})
    assert (failure.error.type, failure.error.message) == ("ValueError", "apple is bad")
    assert 'File "/app/jobs.py"' in failure.error.traceback
    assert "looking at {'bad': 'apple'}" in Path(failure.log).read_text()


def test_a_container_that_is_killed_is_launched_again_and_repeats_only_what_it_ran(
    service: OrchestrationService, stores: Stores
) -> None:
    # given a running instance between others
    params = [*[{}] * 10, {"hang": True}, *[{}] * 9]
    orchestration = service.kick_off_job("hang_once", params, parallelism=1)
    has_begun(stores, orchestration, 10)

    # when its container is killed
    signalled(orchestration, "KILL")

    # then nothing is lost, and only that instance ran twice
    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)
    assert failures is None
    assert [success.result for success in successes] == [*[1] * 10, 2, *[1] * 9]
    assert launches(stores, orchestration, 20) == 2


def test_an_instance_that_takes_more_memory_than_there_is_is_left_out_alone(
    service: OrchestrationService, stores: Stores
) -> None:
    params = [{"megabytes": size} for size in (1, 1, 4 * MEMORY_MIB, 1, 1)]
    orchestration = service.kick_off_job("hoard", params, parallelism=1)

    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)

    assert [success.index for success in successes] == [0, 1, 3, 4]
    (failure,) = failures or []
    assert (failure.index, failure.params, failure.error.type) == (2, {"megabytes": 1024}, "ContainerLost")
    assert "out of memory" in failure.error.message
    # the container survived the loss of its inner process, twice
    assert {container.launch for container in stores.event_log.read_launches(orchestration.id)} == {0, 1, 2}


def test_a_container_that_gets_sigterm_hands_its_instance_back_and_is_launched_again(
    service: OrchestrationService, stores: Stores
) -> None:
    orchestration = service.kick_off_job("hang_once", [{}, {"hang": True}, {}], parallelism=1)
    has_begun(stores, orchestration, 1)

    signalled(orchestration, "TERM")

    handed_back = until(lambda: list(stores.event_log.read_failed_attempts(orchestration.id, 1, 1)))
    assert [(event.error.type, event.counts) for event in handed_back] == [("Interrupted", False)]
    # the job sleeps on, so the container ends by force when its grace is over
    signalled(orchestration, "KILL")
    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)
    assert failures is None
    assert [success.result for success in successes] == [1, 2, 1]


def test_a_main_that_ends_at_once_is_launched_again_and_then_closed_with_its_exit_code(
    service: OrchestrationService,
) -> None:
    orchestration = service.kick_off_job("broken_main", [{}])
    (failure,) = service.get_job_results(orchestration.id, timeout=PATIENCE).failures or []
    assert failure.error.type == "ContainerLost"
    assert "exit code 3" in failure.error.message


def test_cancelling_ends_the_containers(service: OrchestrationService, stores: Stores) -> None:
    orchestration = service.kick_off_job("hang_once", [{"hang": True}] * 2, parallelism=1)
    has_begun(stores, orchestration, 0)
    assert orchestration.cancel("enough") is Cancellation.REQUESTED
    failures = service.get_job_results(orchestration.id, timeout=PATIENCE).failures
    assert failures is not None
    assert [failure.error.type for failure in failures] == ["Cancelled"] * 2
    until(lambda: not running(ORCHESTRATION_LABEL, orchestration.id))


def test_a_stack_that_ends_leaves_no_container(image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalStack(image=image, containers=2) as stack:
        service = become_caller(stack, monkeypatch)
        service.kick_off_job("hang_once", [{"hang": True}] * 2, parallelism=2)
        until(lambda: len(running(STACK_LABEL, stack.stack_id)) == 2)
    assert running(STACK_LABEL, stack.stack_id) == []


def test_containers_have_variables_that_the_docker_command_reads_for_itself(image: str) -> None:
    env = {"DOCKER_HOST": "tcp://nowhere:1", "HOME": "/data", "API_KEY": "two\nlines"}
    with LocalStack(image=image, containers=1, env=env) as stack:
        orchestration = stack.service().kick_off_job("variables", [{"names": list(env)}])
        (success,) = orchestration.results(timeout=PATIENCE).successes
    assert success.result == list(env.values())


def test_the_command_line_runs_an_image(image: str) -> None:
    words = ["local", "run", "--image", image, "--", "printenv", "BACKGROUND_JOBS_JOB_NAMES"]
    done = subprocess.run(
        [str(Path(sys.executable).with_name("background-jobs")), *words],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (
        0,
        "broken_main,fussy,hang_once,hoard,surroundings,variables\n",
    ), done.stderr


def test_an_image_that_does_not_exist_is_refused_before_anything_starts() -> None:
    with pytest.raises(
        InvalidJobsImage, match=r"--image no-such-image:1: .*No such image.*\n.*Build or pull it"
    ):
        LocalStack(image="no-such-image:1")
