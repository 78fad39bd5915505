"""Refused launches, over moto: the events that record them, and how long launches are tried."""

from collections.abc import Callable
from typing import Any

import pytest

from background_jobs import OrchestrationService
from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.note_delay import DelayReport, LaunchGivenUp, note_delay
from background_jobs.core.containers.delays import MOST_DELAYS
from tests.unit.histories import at


def report(orchestration_id: str, cause: str, share: int = 0) -> DelayReport:
    return DelayReport.model_validate(
        {
            "orchestration_id": orchestration_id,
            "share": str(share),
            "error": {"Error": "ECS.ClientException", "Cause": cause},
        }
    )


def test_a_refused_launch_says_why_its_instances_wait(
    service: OrchestrationService, stores: Stores, aggregate: Callable[[], list[Any]]
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": n} for n in range(4)], parallelism=2)
    for minute, cause in enumerate(["Rate exceeded", "Capacity is unavailable at this time"]):
        note_delay(report(orchestration.id, cause), stores, at(60 * minute), draw=0.5)
    assert aggregate() == []

    delayed, other = sorted(orchestration.waits(), key=lambda wait: wait.reason)
    assert (delayed.reason, delayed.since, delayed.instances) == ("no capacity", at(0), 2)
    assert "Capacity is unavailable" in delayed.detail
    assert (other.reason, other.instances) == ("waiting for launch", 2)


def test_tries_become_rarer_and_end(service: OrchestrationService, stores: Stores) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 2}])
    waits = [
        note_delay(report(orchestration.id, "Rate exceeded"), stores, at(n), draw=0.9)
        for n in range(MOST_DELAYS)
    ]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (10, 217)
    with pytest.raises(LaunchGivenUp):
        note_delay(report(orchestration.id, "Rate exceeded"), stores, at(99), draw=0)


def test_a_report_reads_the_delays_of_its_own_share_alone(
    service: OrchestrationService, stores: Stores
) -> None:
    # given an orchestration with many containers and delays
    orchestration = service.kick_off_job("halve", [{"n": n} for n in range(50)], parallelism=50)
    for share in range(50):
        note_delay(report(orchestration.id, "Rate exceeded", share), stores, at(0), draw=0)
        note_delay(report(orchestration.id, "Rate exceeded", share), stores, at(1), draw=0)

    # when one of them is delayed again
    answers: list[Any] = []
    clients.dynamodb().meta.events.register(
        "after-call.dynamodb.Query", lambda parsed, **_: answers.append(parsed)
    )
    note_delay(report(orchestration.id, "Rate exceeded", 7), stores, at(2), draw=0)

    # then what is read does not grow with the others
    assert sum(answer["ScannedCount"] for answer in answers) == 2
    delays = stores.event_log.read_containers(orchestration.id).delays
    assert [delay.number for delay in delays if delay.share == 7] == [0, 1, 2]


def test_a_task_that_could_not_start_is_known_by_what_was_injected() -> None:
    task = {
        "stopCode": "TaskFailedToStart",
        "stoppedReason": "CannotPullContainerError: pull image manifest has been retried 7 time(s)",
        "overrides": {
            "containerOverrides": [
                {
                    "name": "job",
                    "environment": [
                        {"name": "ORCHESTRATION_ID", "value": "0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11"},
                        {"name": "JOB_SHARE", "value": "7"},
                    ],
                }
            ]
        },
    }
    found = DelayReport.from_task(task)
    assert found is not None
    assert (found.share, found.error.error) == (7, "TaskFailedToStart")
    assert DelayReport.from_task({"overrides": {"containerOverrides": [{"name": "other"}]}}) is None
