"""Faults that a test injects into the twin, and what the service makes of them."""

from collections import Counter

import pytest
from botocore.exceptions import ClientError

from background_jobs import JobContext, OrchestrationStatus, Stage, job_name
from background_jobs.testing import BackgroundJobs
from tests.testing.jobs import double, flaky, fussy

calls: list[tuple[int, int]] = []


@job_name("noted")
def noted(params: dict[str, int], job: JobContext) -> int:
    calls.append((job.index, job.attempt))
    return params["n"]


@pytest.fixture(autouse=True)
def no_calls() -> None:
    calls.clear()


def test_what_a_lost_container_had_not_ended_runs_again() -> None:
    with BackgroundJobs([noted]) as jobs:
        jobs.lose_container(index=1)

        orchestration = jobs.service.kick_off_job(noted, [{"n": n} for n in range(3)], parallelism=1)
        successes, failures = orchestration.results()

        assert ([success.result for success in successes], failures) == ([0, 1, 2], None)
        assert calls == [(0, 1), (1, 1), (1, 2), (2, 1)]
        assert orchestration.event_history().lost == 1


def test_an_instance_that_loses_its_container_twice_is_left_out() -> None:
    with BackgroundJobs([noted]) as jobs:
        jobs.lose_container(index=1, times=2)

        orchestration = jobs.service.kick_off_job(noted, [{"n": n} for n in range(3)], parallelism=1)
        successes, failures = orchestration.results()

        assert [success.index for success in successes] == [0, 2]
        assert failures is not None
        assert [(failure.index, failure.error.type, failure.attempts) for failure in failures] == [
            (1, "ContainerLost", 2)
        ]


def test_a_launch_that_is_refused_waits_and_says_why() -> None:
    with BackgroundJobs([noted]) as jobs:
        jobs.refuse_launch("RESOURCE:ENI", times=2)
        began = jobs.clock.now()

        orchestration = jobs.service.kick_off_job(noted, [{"n": 1}])
        jobs.clock.advance(1)
        (wait,) = orchestration.waits()
        successes, _ = orchestration.results()

        assert "no free addresses" in str(wait)
        assert [success.result for success in successes] == [1]
        assert (jobs.clock.now() - began).total_seconds() > 2


def test_a_launch_that_cannot_mend_itself_is_given_up() -> None:
    with BackgroundJobs([noted]) as jobs:
        jobs.refuse_launch("AccessDenied", times=100)

        _, failures = jobs.service.kick_off_job(noted, [{"n": 1}]).results()

        assert failures is not None
        assert (failures[0].error.type, calls) == ("NotLaunched", [])


@pytest.mark.parametrize("service", ["dynamodb", "s3", "events", "stepfunctions"])
def test_throttling_is_waited_out(service: str) -> None:
    with BackgroundJobs([double, flaky]) as jobs:
        orchestration = jobs.service.kick_off_job(double, [{"n": n} for n in range(5)])
        jobs.throttle(service, times=12)
        jobs.run_until_idle()

        assert [success.result for success in orchestration.results().successes] == [0, 2, 4, 6, 8]
        assert [event.total for event in jobs.completed_events] == [5]


def test_a_caller_is_told_of_throttling_that_goes_on() -> None:
    with BackgroundJobs([double]) as jobs:
        jobs.throttle("dynamodb", times=4)
        accepted = jobs.service.kick_off_job(double, [{"n": 1}])
        jobs.throttle("dynamodb", times=5)

        with pytest.raises(ClientError) as refused:
            jobs.service.kick_off_job(double, [{"n": 1}])

        assert refused.value.response["Error"]["Code"] == "ProvisionedThroughputExceededException"
        assert [success.result for success in accepted.results().successes] == [2]


def test_an_unknown_service_cannot_be_throttled() -> None:
    with BackgroundJobs([double]) as jobs, pytest.raises(ValueError, match="write one of dynamodb, s3"):
        jobs.throttle("dynamo")


@pytest.mark.parametrize(
    ("fault", "arguments"),
    [("throttle", ["s3"]), ("lose_container", []), ("refuse_launch", ["RESOURCE:ENI"])],
)
@pytest.mark.parametrize("times", [0, -1])
def test_a_fault_that_comes_no_times_is_refused(fault: str, arguments: list[str], times: int) -> None:
    with BackgroundJobs([double]) as jobs:
        with pytest.raises(ValueError, match=f"times={times} injects nothing"):
            getattr(jobs, fault)(*arguments, times=times)
        assert jobs.service.kick_off_job(double, [{"n": 1}]).results().failures is None


def test_an_index_that_no_instance_has_is_refused() -> None:
    with BackgroundJobs([double]) as jobs, pytest.raises(ValueError, match="indices begin at 0"):
        jobs.lose_container(index=-1)


def test_what_arrives_twice_counts_once() -> None:
    with BackgroundJobs([noted, fussy]) as jobs:
        jobs.duplicate()

        first = jobs.service.kick_off_job(noted, [{"n": 1}], then=Stage("noted", params=[{"n": 2}]))
        stages = first.pipeline().wait()
        jobs.run_until_idle()

        assert first.pipeline().status() is OrchestrationStatus.COMPLETED
        assert len(stages) == 2
        assert calls == [(0, 1), (0, 1)]
        # The record of each completion comes twice, and what is published of it as well.
        delivered = Counter(event.orchestration_id for event in jobs.completed_events)
        assert list(delivered.values()) == [4, 4]
        assert len({event.event_id for event in jobs.completed_events}) == 2
