"""Failures of every kind on the offline stack: nothing is lost, and every instance gets its outcome."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import boto3
import pytest

from background_jobs import Cancellation, Failure, Orchestration, OrchestrationService, Retry
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.rebuild import differences
from background_jobs.core.events import ContainerStarted, ShareDelayed
from background_jobs.core.ids import execution_name
from background_jobs.local_stack import LocalStack
from tests.offline import containers, until

PATIENCE = 120


def count_launches(stores: Stores, orchestration: Orchestration, total: int) -> int:
    events = stores.event_log.read_all(orchestration.id, total)
    return sum(isinstance(event, ContainerStarted) for event in events)


@pytest.fixture
def stores(stack: LocalStack) -> Stores:
    return Stores.of(stack.settings)


def read_failures(service: OrchestrationService, orchestration: Orchestration) -> list[Failure]:
    return service.get_job_results(orchestration.id, timeout=PATIENCE).failures or []


def test_failed_attempts_are_tried_again_as_the_job_says(
    service: OrchestrationService, stores: Stores
) -> None:
    ways = ["", "twice", "always", "lookup", "give up", "later"]
    orchestration = service.kick_off_job("flaky", [{"how": way} for way in ways], parallelism=1)

    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)

    assert {s.params["how"]: (s.result, s.attempts) for s in successes} == {
        "": (1, 1),
        "twice": (3, 3),
        "later": (2, 2),
    }
    assert {f.params["how"]: (f.error.type, f.attempts) for f in failures or []} == {
        "always": ("OSError", 3),
        "lookup": ("KeyError", 1),
        "give up": ("background_jobs.GiveUp", 1),
    }
    gone = next(f for f in failures or [] if f.params["how"] == "always")
    assert [(failed.attempt, failed.type, failed.message) for failed in gone.failed_attempts] == [
        (1, "OSError", "gone"),
        (2, "OSError", "gone"),
    ]
    until(lambda: orchestration.summary().done)
    assert differences(orchestration.id, stores) == []


def test_a_kick_off_may_override_the_retry_and_waiting_holds_up_nobody(service: OrchestrationService) -> None:
    # given one instance that waits for a minute before its second attempt
    retry = Retry(max_attempts=2, base_seconds=60, jitter="none")
    orchestration = service.kick_off_job("flaky", [{"how": "always"}, *[{}] * 9], parallelism=1, retry=retry)
    # then the other instances complete in the meantime
    until(lambda: orchestration.summary().completed == 9)
    assert orchestration.summary().errored == 0
    assert orchestration.cancel("seen enough") is Cancellation.REQUESTED
    (failure,) = read_failures(service, orchestration)
    assert failure.error.type == "Cancelled"


def test_a_timeout_ends_sleeping_swallowing_and_native_code_alike(
    service: OrchestrationService, stores: Stores
) -> None:
    ways = ["sleep", "swallow", "native", ""]
    orchestration = service.kick_off_job("slow", [{"how": way} for way in ways], parallelism=1)
    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)
    assert [(s.params["how"], s.result) for s in successes] == [("", "in time")]
    assert [(f.params["how"], f.error.type) for f in failures or []] == [
        (way, "AttemptTimeout") for way in ways[:3]
    ]
    assert "timeout of 1 s" in (failures or [])[0].error.message
    # nothing but the end of its process ends the native code
    assert count_launches(stores, orchestration, 4) == 2


def test_a_process_whose_descriptors_are_used_up_is_replaced_and_nothing_is_lost(
    service: OrchestrationService,
) -> None:
    params = [{}, {"leaks": True}, {}, {}]
    orchestration = service.kick_off_job("leak", params, parallelism=1)
    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)
    assert failures is None
    first, second, third, fourth = (success.result for success in successes)
    assert first == second != third == fourth
    assert [success.attempts for success in successes] == [1] * 4
    history = orchestration.event_history()
    assert (len(history.launches), history.lost, history.failed_attempts) == (2, 0, 0)


def test_the_timeout_of_an_orchestration_ends_what_runs_and_what_waits(
    service: OrchestrationService, tmp_path: Path
) -> None:
    params = [{"running": str(tmp_path / "running"), "until": str(tmp_path / "never")}] * 3
    orchestration = service.kick_off_job("patient", params, parallelism=1, timeout=2)
    assert [failure.error.type for failure in read_failures(service, orchestration)] == [
        "OrchestrationTimeout"
    ] * 3


def test_an_instance_that_ends_its_process_is_tried_once_more_and_the_container_lives(
    service: OrchestrationService, stores: Stores
) -> None:
    orchestration = service.kick_off_job("exit", [{}, {"exit": True}, {}, {"exit": True}, {}], parallelism=1)
    failures = read_failures(service, orchestration)
    assert [(f.index, f.error.type, f.attempts) for f in failures] == [
        (1, "ContainerLost", 2),
        (3, "ContainerLost", 2),
    ]
    assert "exit code 9" in failures[0].error.message
    # the state machine launched one container, in which two instances ended their process twice each
    assert count_launches(stores, orchestration, 5) == 5


def test_an_instance_that_ends_its_process_costs_no_other_outcome(service: OrchestrationService) -> None:
    # given an instance whose start is in the log but not its outcome, when the next instance ends the process
    orchestration = service.kick_off_job("exit", [{"seconds": 0.5}, {"exit": True}, {}], parallelism=1)
    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)
    assert [success.index for success in successes] == [0, 2]
    assert [(f.index, f.error.type) for f in failures or []] == [(1, "ContainerLost")]


def test_a_container_that_is_killed_is_launched_again_and_goes_on(
    service: OrchestrationService, stores: Stores
) -> None:
    orchestration = service.kick_off_job("kill_container", [{}, {"kills": 1}, {}], parallelism=1)
    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)
    assert failures is None
    assert [success.index for success in successes] == [0, 1, 2]
    # the instance kills its container once more where its first start was not written in time
    assert count_launches(stores, orchestration, 3) >= 2


def test_instances_that_keep_killing_their_container_are_left_out_with_their_params(
    service: OrchestrationService, stack: LocalStack
) -> None:
    """They kill more containers than the state machine launches for a share that makes no progress."""
    params = [{}, {"kills": 99}, {}, {"kills": 98}, {"kills": 97}, {}]
    orchestration = service.kick_off_job("kill_container", params, parallelism=1)
    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)
    assert [success.index for success in successes] == [0, 2, 5]
    assert [(f.index, f.params, f.error.type) for f in failures or []] == [
        (1, {"kills": 99}, "ContainerLost"),
        (3, {"kills": 98}, "ContainerLost"),
        (4, {"kills": 97}, "ContainerLost"),
    ]
    # and no process goes on whose outer process was killed
    until(lambda: not containers(stack.stack_id, orchestration.id))


def test_a_container_that_gets_sigterm_hands_its_instance_back_without_an_attempt(
    service: OrchestrationService, stack: LocalStack, stores: Stores, tmp_path: Path
) -> None:
    # given a running instance that is reclaimed three times, more often than one that kills its process is tried
    running, release = tmp_path / "running", tmp_path / "release"
    orchestration = service.kick_off_job("patient", [{"running": str(running), "until": str(release)}])

    def has_failed_attempts(count: int) -> bool:
        return len(list(stores.event_log.read_failed_attempts(orchestration.id, 0, 0))) == count

    for count in range(1, 4):
        until(running.exists)
        (container,) = until(lambda: containers(stack.stack_id, orchestration.id))
        os.killpg(container.pid, signal.SIGTERM)
        until(partial(has_failed_attempts, count))
        os.killpg(container.pid, signal.SIGKILL)
        running.unlink()

    # when it may finish
    release.touch()

    # then it completes, and the interruptions are recorded
    (success,) = service.get_job_results(orchestration.id, timeout=PATIENCE).successes
    assert success.result == "done"
    interrupted = [
        event
        for event in stores.event_log.read_failed_attempts(orchestration.id, 0, 0)
        if event.error.type == "Interrupted"
    ]
    assert len(interrupted) == 3
    assert not any(event.counts for event in interrupted)


def test_cancelling_stops_what_runs_and_errors_the_rest(
    service: OrchestrationService, stack: LocalStack, stores: Stores, tmp_path: Path
) -> None:
    running = tmp_path / "running"
    params = [{"running": str(running), "until": str(tmp_path / "never")}] * 4
    orchestration = service.kick_off_job("patient", params, parallelism=2)
    until(running.exists)

    assert orchestration.cancel("wrong month") is Cancellation.REQUESTED
    assert orchestration.cancel() is Cancellation.ALREADY_CANCELLED

    failures = read_failures(service, orchestration)
    assert [(f.error.type, f.error.message) for f in failures] == [("Cancelled", "wrong month")] * 4
    until(lambda: not containers(stack.stack_id, orchestration.id))
    assert orchestration.cancel() is Cancellation.ALREADY_DONE
    until(lambda: orchestration.summary().done)
    assert orchestration.summary().cancelled_at is not None
    assert differences(orchestration.id, stores) == []


@contextmanager
def without_rules_on(detail_type: str, bus: str) -> Iterator[None]:
    """Disable the rules that pass on events of one type."""
    events = boto3.client("events")
    rules = events.list_rules(EventBusName=bus)["Rules"]
    names = [rule["Name"] for rule in rules if detail_type in rule.get("EventPattern", "")]
    assert names != []
    for name in names:
        events.disable_rule(Name=name, EventBusName=bus)
    try:
        yield
    finally:
        for name in names:
            events.enable_rule(Name=name, EventBusName=bus)


def test_a_job_that_checks_for_cancellation_can_still_complete(
    service: OrchestrationService, stack: LocalStack, tmp_path: Path
) -> None:
    running = tmp_path / "running"
    params = [{"running": str(running), "until": str(tmp_path / "never"), "cooperative": True}]
    # given that no function stops the task, so that the job has time to see its cancellation
    with without_rules_on("OrchestrationCancelled", stack.settings.event_bus):
        orchestration = service.kick_off_job("patient", params)
        until(running.exists)
        orchestration.cancel()
        successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)
    assert failures is None
    assert [success.result for success in successes] == ["saw the cancellation"]
    until(lambda: not containers(stack.stack_id, orchestration.id))


def test_an_aborted_execution_ends_its_orchestration(
    service: OrchestrationService, stack: LocalStack, tmp_path: Path
) -> None:
    running = tmp_path / "running"
    params = [{"running": str(running), "until": str(tmp_path / "never")}] * 3
    orchestration = service.kick_off_job("patient", params, parallelism=1)
    until(running.exists)

    states = boto3.client("stepfunctions")
    (machine,) = states.list_state_machines()["stateMachines"]
    executions = machine["stateMachineArn"].replace(":stateMachine:", ":execution:")
    arn = f"{executions}:{execution_name('default', orchestration.id)}"
    states.stop_execution(executionArn=arn, cause="by hand")

    failures = read_failures(service, orchestration)
    assert [failure.error.type for failure in failures] == ["ExecutionEnded"] * 3
    assert "ABORTED" in failures[0].error.message
    until(lambda: not containers(stack.stack_id, orchestration.id))


def test_a_service_that_is_not_deployed_ends_in_failures_that_say_so(
    stack: LocalStack, stores: Stores
) -> None:
    # given a caller that does not know the names of the services
    service = OrchestrationService(stack.settings.model_copy(update={"service_names": ()}))
    orchestration = service.kick_off_job("total", [{"values": []}], service="nobody")
    started = stores.event_log.read_started(orchestration.id)
    assert started.service == "nobody"

    # when it is cancelled while it waits for its next launch
    until(
        lambda: any(
            isinstance(event, ShareDelayed)
            for event in stores.event_log.read_orchestration(orchestration.id).events
        )
    )
    orchestration.cancel("it can never be launched")

    # then
    (failure,) = read_failures(service, orchestration)
    assert failure.error.type == "Cancelled"


def test_rebuild_finds_a_wrong_read_model_and_puts_it_right(
    service: OrchestrationService, stack: LocalStack
) -> None:
    orchestration = service.kick_off_job("fussy", [{}, {"bad": 1}])
    until(lambda: orchestration.summary().done)
    assert rebuild(orchestration.id, "--check") == (0, [])

    # given a read model that somebody has tampered with
    table, key = (
        stack.settings.read_model_table,
        {"pk": f"default#{orchestration.id}#statuses#00000", "sk": "chunk"},
    )
    boto3.resource("dynamodb").Table(table).delete_item(Key=key)

    wrong = (4, ["statuses of instances from 0 on"])
    assert rebuild(orchestration.id, "--check") == wrong
    assert rebuild(orchestration.id) == (0, wrong[1])
    assert rebuild(orchestration.id, "--check") == (0, [])


def rebuild(*arguments: str) -> tuple[int, list[str]]:
    command = [str(Path(sys.executable).with_name("background-jobs")), "rebuild", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)["differences"]
