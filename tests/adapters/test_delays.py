"""Launches that failed, over moto: what the log says of them, and what the state machine is told to do."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from background_jobs import Orchestration, OrchestrationService
from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.close_unfinished import CloseRequest, close_unfinished
from background_jobs.control_plane.note_delay import DelayAnswer, DelayReport, note_delay
from background_jobs.control_plane.note_stalls import note_stalls
from background_jobs.core.containers.relaunch import Tries
from background_jobs.core.errors import OrchestrationNotFound
from background_jobs.core.events import STARTED, EventKey, JobErrored, OrchestrationStalled, log_partition
from background_jobs.core.limits import CONTAINER_SECONDS
from background_jobs.core.planning.memory import LaunchSize
from background_jobs.core.tables import PARTITION_KEY, SORT_KEY
from background_jobs.settings import Settings
from tests.memory import SETTINGS, append_events
from tests.unit.histories import at, container_started

VCPUS = "You've reached the limit on the number of vCPUs you can run concurrently"
WEEK = timedelta(days=7)


class StateMachine:
    """The part of the state machine that reports launches of one share, and keeps the answers."""

    def __init__(
        self,
        orchestration: Orchestration,
        stores: Stores,
        *,
        share: int = 0,
        capacity_provider: str = "FARGATE",
        settings: Settings = SETTINGS,
    ) -> None:
        self.settings = settings
        self._orchestration, self._stores = orchestration, stores
        self._share, self._capacity_provider = share, capacity_provider
        self.tries: Any = {}
        self.size: Any = None

    def report(self, cause: str, now: datetime, *, error: str = "ECS.ClientException") -> DelayAnswer:
        report = DelayReport.model_validate(
            {
                "orchestration_id": self._orchestration.id,
                "share": str(self._share),
                "capacity_provider": self._capacity_provider,
                "error": {"Error": error, "Cause": cause},
                "tries": self.tries,
                "size": self.size,
            }
        )
        answer = note_delay(report, self._stores, now, settings=self.settings, draw=0.5)
        self.tries, self.size = (answer.model_dump(mode="json")[name] for name in ("tries", "size"))
        return answer


def test_a_refused_launch_says_why_its_instances_wait(
    service: OrchestrationService, stores: Stores, aggregate: Callable[[], list[Any]]
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": n} for n in range(4)], parallelism=2)
    machine = StateMachine(orchestration, stores)
    machine.report("Rate exceeded", at(0))
    machine.report("Capacity is unavailable at this time", at(60))
    assert aggregate() == []

    delayed, other = sorted(orchestration.waits(), key=lambda wait: wait.reason)
    assert (delayed.reason, delayed.since, delayed.instances) == ("no capacity", at(0), 2)
    assert "Capacity is unavailable" in delayed.detail
    assert (other.reason, other.instances) == ("waiting for launch", 2)


@pytest.mark.parametrize(
    ("provider", "quota"),
    [
        ("FARGATE", '"Fargate On-Demand vCPU resource count" (L-3032A538)'),
        ("FARGATE_SPOT", '"Fargate Spot vCPU resource count" (L-36FBB829)'),
    ],
)
def test_what_waits_for_a_quota_says_which_one_to_raise_everywhere(
    service: OrchestrationService,
    stores: Stores,
    aggregate: Callable[[], list[Any]],
    provider: str,
    quota: str,
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": n} for n in range(4)], parallelism=2)
    for share in range(2):
        # AWS's messages end with the id of the request, so that no two are the same
        machine = StateMachine(orchestration, stores, share=share, capacity_provider=provider)
        machine.report(f"{VCPUS} (Request ID: {share})", at(share))
    aggregate()

    (wait,) = orchestration.waits()
    assert (wait.reason, wait.shares, wait.instances, wait.since) == ("a quota is reached", 2, 4, at(0))
    assert quota in wait.advice
    assert any(quota in entry.detail for entry in orchestration.event_history().timeline)

    note_stalls(stores, datetime.now(UTC) + timedelta(hours=2), timedelta(hours=1))
    (stalled,) = (
        e
        for e in stores.event_log.read_orchestration(orchestration.id).events
        if e.type == "OrchestrationStalled"
    )
    assert all(
        "4 instances: a quota is reached, since" in reason and quota in reason for reason in stalled.reasons
    )


def test_a_standstill_whose_kick_off_has_expired_keeps_no_other_from_being_noted(
    service: OrchestrationService, stores: Stores, settings: Settings, aggregate: Callable[[], list[Any]]
) -> None:
    # given two orchestrations in which nothing moves, and one whose kick-off is not in the log any more
    others = [service.kick_off_job("halve", [{"n": 1}]) for _ in range(2)]
    expired = service.kick_off_job("halve", [{"n": 2}])
    aggregate()
    key = EventKey(log_partition(settings.service, expired.id), STARTED)
    clients.dynamodb().delete_item(
        TableName=settings.event_log_table,
        Key={PARTITION_KEY: {"S": key.partition}, SORT_KEY: {"S": key.sort}},
    )
    # when standstills are noted
    noted = note_stalls(stores, datetime.now(UTC) + timedelta(hours=2), timedelta(hours=1))
    # then all are, and that one says why no more is known of it
    assert {summary.orchestration_id for summary in noted} == {expired.id, *(other.id for other in others)}
    reasons = {
        orchestration.id: event.reasons
        for orchestration in (expired, *others)
        for event in stores.event_log.read_orchestration(orchestration.id).events
        if isinstance(event, OrchestrationStalled)
    }
    assert reasons[expired.id] == [str(OrchestrationNotFound(expired.id))]
    assert all("waiting for launch" in reasons[other.id][0] for other in others)


def test_a_launch_is_waited_for_as_long_as_it_takes(service: OrchestrationService, stores: Stores) -> None:
    # given a share that waited for two months
    orchestration = service.kick_off_job("halve", [{"n": 2}])
    machine = StateMachine(orchestration, stores)
    machine.tries = Tries(waits=900).model_dump(mode="json")
    # when it is refused once more, then it is tried again, and the log has grown by one event at the most
    answers = [machine.report(VCPUS, at(n)) for n in range(20)]
    assert not any(answer.given_up for answer in answers)
    assert len(stores.event_log.read_containers(orchestration.id).delays) == 1


@pytest.mark.parametrize(("provider", "launches"), [("FARGATE", 5), ("FARGATE_SPOT", 13), ("gpu-asg", 13)])
def test_a_container_is_launched_again_more_often_where_its_host_may_be_taken_back(
    service: OrchestrationService, stores: Stores, provider: str, launches: int
) -> None:
    machine = StateMachine(service.kick_off_job("halve", [{"n": 2}]), stores, capacity_provider=provider)
    lost = json.dumps({"TaskArn": "arn", "StoppedReason": "Host EC2 (instance i-0f) terminated."})
    answers = [machine.report(lost, at(n), error="States.TaskFailed") for n in range(launches)]
    assert [answer.given_up for answer in answers] == [False] * (launches - 1) + [True]


def test_tries_become_rarer(service: OrchestrationService, stores: Stores) -> None:
    machine = StateMachine(service.kick_off_job("halve", [{"n": 2}]), stores)
    waits = [machine.report(VCPUS, at(n)).wait_seconds for n in range(20)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (11, 301)


def test_a_launch_waits_no_longer_than_the_orchestration(
    service: OrchestrationService, stores: Stores
) -> None:
    # given an orchestration with a timeout, which is nearly over
    orchestration = service.kick_off_job("halve", [{"n": 2}], timeout=timedelta(hours=1))
    started = stores.event_log.read_started(orchestration.id)
    assert started.deadline is not None
    machine = StateMachine(orchestration, stores)
    machine.tries = Tries(waits=20).model_dump(mode="json")
    # when the next launch would come after the deadline, then the share waits for that, and is closed
    answer = machine.report(VCPUS, started.deadline - timedelta(seconds=30))
    assert (answer.given_up, answer.wait_seconds) == (True, 30)
    assert machine.report(VCPUS, started.deadline).given_up


def test_a_launch_waits_no_longer_than_its_params_are_kept(
    service: OrchestrationService, stores: Stores
) -> None:
    # given an orchestration without a timeout, whose params are removed after 90 days
    orchestration = service.kick_off_job("halve", [{"n": 2}])
    removed = stores.event_log.read_started(orchestration.id).at + timedelta(days=90)
    machine = StateMachine(orchestration, stores)
    machine.tries = Tries(waits=20).model_dump(mode="json")
    # then it waits while there is time, and is closed an hour before, with its params
    assert not machine.report(VCPUS, removed - timedelta(days=1)).given_up
    assert machine.report(VCPUS, removed - timedelta(hours=1)).given_up


def test_a_container_that_is_launched_late_may_take_what_is_left(
    service: OrchestrationService, stores: Stores
) -> None:
    # given an orchestration with a timeout of six days, and one that has none
    short = service.kick_off_job("halve", [{"n": 2}], timeout=timedelta(days=6))
    deadline = stores.event_log.read_started(short.id).deadline
    assert deadline is not None
    # when a launch fails two hours before the end
    answer = StateMachine(short, stores).report(VCPUS, deadline - timedelta(hours=2))
    # then a container that is stuck is stopped five minutes after it
    assert answer.wait_seconds + answer.container_seconds == 2 * 3600 + 300
    long = service.kick_off_job("halve", [{"n": 2}])
    assert StateMachine(long, stores).report(VCPUS, datetime.now(UTC)).container_seconds == CONTAINER_SECONDS


def test_what_waited_until_the_deadline_says_so_and_what_for(
    service: OrchestrationService, stores: Stores
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 2}], timeout=timedelta(microseconds=1))
    error = {"Error": "ECS.ClientException", "Cause": VCPUS}
    close_unfinished(
        CloseRequest.model_validate({"orchestration_id": orchestration.id, "indices": "0-0", "error": error}),
        stores,
    )
    (outcome,) = stores.event_log.read_outcomes(orchestration.id, 0, 0)
    assert isinstance(outcome, JobErrored)
    assert outcome.error.type == "OrchestrationTimeout"
    assert VCPUS in outcome.error.message


def test_nothing_is_launched_for_an_orchestration_that_was_cancelled(
    service: OrchestrationService, stores: Stores
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 2}])
    orchestration.cancel("wrong month")
    assert StateMachine(orchestration, stores).report(VCPUS, at(0)).given_up
    assert stores.event_log.read_containers(orchestration.id).delays == []


@pytest.mark.parametrize("error", ["States.TaskFailed", "States.Timeout"])
def test_a_lost_container_is_launched_again_at_once_and_so_is_one_that_worked_for_a_week(
    service: OrchestrationService, stores: Stores, error: str
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 2}])
    started = container_started().model_copy(update={"orchestration_id": orchestration.id, "at": at(-60)})
    append_events(stores, started)
    machine = StateMachine(orchestration, stores)
    answers = [machine.report('{"TaskArn": "arn"}', at(n), error=error) for n in range(5)]
    assert [answer.given_up for answer in answers] == [False] * 4 + [True]
    assert max(answer.wait_seconds for answer in answers) <= 20
    # a container that had started waits again
    (wait,) = orchestration.waits()
    assert (wait.reason, wait.since) == ("the container was lost", at(0))


def test_a_container_that_passed_the_timeout_of_its_orchestration_is_not_launched_again(
    service: OrchestrationService, stores: Stores
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 2}], timeout=timedelta(hours=1))
    later = datetime.now(UTC) + timedelta(hours=1, minutes=5)
    assert StateMachine(orchestration, stores).report("", later, error="States.Timeout").given_up


def test_a_report_that_comes_twice_is_noted_once(service: OrchestrationService, stores: Stores) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 2}])
    for moment in range(2):
        StateMachine(orchestration, stores).report(VCPUS, at(moment))
    assert len(stores.event_log.read_containers(orchestration.id).delays) == 1


def test_a_report_of_an_orchestration_that_is_not_there_fails(stores: Stores) -> None:
    report = DelayReport.model_validate(
        {"orchestration_id": "gone", "share": 0, "error": {"Error": "ECS.ServerException"}}
    )
    with pytest.raises(OrchestrationNotFound):
        note_delay(report, stores, at(0), settings=SETTINGS, draw=0)


def killed_for_memory(cpu: int, memory_mib: int, **container: Any) -> str:
    """Return what ECS tells of a task whose container was killed for its memory."""
    reason = {"ExitCode": 137, "Reason": "OutOfMemoryError: Container killed due to memory usage"}
    containers = [{"Name": "job", **(container or reason)}]
    return json.dumps(
        {"TaskArn": "arn", "Cpu": str(cpu), "Memory": str(memory_mib), "Containers": containers}
    )


def test_a_container_that_ran_out_of_memory_is_launched_again_with_more_up_to_the_limit(
    service: OrchestrationService, stores: Stores
) -> None:
    # given a service that states a limit
    settings = SETTINGS.model_copy(update={"service_memory_limits": {"default": 6144}})
    orchestration = service.kick_off_job("halve", [{"n": 2}])
    machine = StateMachine(orchestration, stores, settings=settings)
    # when its containers run out of memory, one after the other
    sizes = [(512, 1024), (512, 2048), (512, 4096), (1024, 6144)]
    answers = [
        machine.report(killed_for_memory(*size), at(n), error="States.TaskFailed")
        for n, size in enumerate(sizes)
    ]
    # then each has more than the one before, and the last is a container that was lost
    assert [(answer.size.cpu, answer.size.memory_mib) for answer in answers if answer.size] == [
        ("512", "2048"),
        ("512", "4096"),
        ("1024", "6144"),
        ("1024", "6144"),
    ]
    assert [answer.tries.losses for answer in answers] == [0, 0, 0, 1]
    assert [answer.size.after_out_of_memory for answer in answers if answer.size] == [*["true"] * 3, "false"]
    # and whoever looks is told so
    timeline = [entry.detail for entry in orchestration.event_history().timeline]
    assert any("launched again with 2,048 MiB and 0.5 vCPUs" in detail for detail in timeline)
    assert any("more memory_mib" in detail for detail in timeline)


def test_a_container_keeps_its_size_when_it_is_lost_for_another_reason(
    service: OrchestrationService, stores: Stores
) -> None:
    settings = SETTINGS.model_copy(update={"service_memory_limits": {"default": 8192}})
    machine = StateMachine(service.kick_off_job("halve", [{"n": 2}]), stores, settings=settings)
    machine.report(killed_for_memory(512, 1024, ExitCode=78), at(0), error="States.TaskFailed")
    answer = machine.report(VCPUS, at(1))
    assert answer.size == LaunchSize(cpu="512", memory_mib="2048", after_out_of_memory="false")


def test_without_a_limit_a_container_that_ran_out_of_memory_is_one_that_was_lost(
    service: OrchestrationService, stores: Stores
) -> None:
    machine = StateMachine(service.kick_off_job("halve", [{"n": 2}]), stores)
    answer = machine.report(killed_for_memory(512, 1024), at(0), error="States.TaskFailed")
    assert (answer.size, answer.tries.losses) == (None, 1)
