"""The worker and the control plane over moto: one container at a time, in this process."""

import json
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, computed_field

from background_jobs import JobContext, OrchestrationService, job_name
from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.close_unfinished import CloseRequest, close_unfinished
from background_jobs.control_plane.relaunch_or_close import Closed, relaunch_or_close
from background_jobs.core.events import JobAttemptFailed, JobErrored, log_partition
from background_jobs.core.given_up import UnreadableRecord
from background_jobs.jobs import Jobs
from background_jobs.settings import Settings
from tests.adapters.jobs import Died, ran


@pytest.fixture(autouse=True)
def _forget() -> None:
    ran.clear()


def test_a_share_runs_to_its_end_and_failures_keep_what_caused_them(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": n} for n in (4, 7, 8)], parallelism=1)
    launch(orchestration)
    aggregate()

    successes, failures = service.get_job_results(orchestration.id, timeout=0)

    assert [(s.index, s.params, s.result) for s in successes] == [(0, {"n": 4}, 2), (2, {"n": 8}, 4)]
    assert failures is not None
    (failure,) = failures
    assert (failure.index, failure.params, failure.attempts) == (1, {"n": 7}, 1)
    assert (failure.error.type, failure.error.message) == ("ValueError", "7 is odd")
    assert "raise ValueError(f\"{params['n']} is odd\")" in failure.error.traceback
    assert "background_jobs" not in failure.error.traceback
    with pytest.raises(ExceptionGroup, match="1 of 3 job instances errored"):
        service.get_job_results(orchestration.id).raise_on_failure()


def test_a_container_of_an_image_with_the_new_name_runs_what_was_kicked_off_under_the_old_one(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    """And the history has it under the name that it was kicked off under."""

    @job_name("divide", aliases=["halve"])
    def divide(params: dict[str, int], job: JobContext) -> list[Any]:
        return [params["n"] / 2, job.job_name]

    orchestration = service.kick_off_job("halve", [{"n": 4}])
    launch(orchestration, jobs=Jobs([divide]))
    aggregate()

    successes, failures = service.get_job_results(orchestration.id, timeout=0)

    assert ([success.result for success in successes], failures) == ([[2, "halve"]], None)
    assert [one.orchestration_id for one in service.history(job_name="halve").summaries] == [orchestration.id]
    assert service.history(job_name="divide").summaries == []


def test_large_results_and_large_params_travel_by_reference(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any], stores: Stores
) -> None:
    params: list[dict[str, Any]] = [{"n": 60_000}, {"n": 3, "pad": "x" * 60_000}]
    orchestration = service.kick_off_job("halve", params, parallelism=1)
    launch(orchestration)
    aggregate()

    (success,), failures = service.get_job_results(orchestration.id, timeout=0)

    assert success.result == "x" * 60_000
    assert failures is not None
    assert failures[0].params == params[1]
    (event,) = (
        e for e in stores.event_log.read_outcomes(orchestration.id, 1, 1) if isinstance(e, JobErrored)
    )
    assert event.params is None
    assert event.params_ref is not None
    assert json.loads(stores.payloads.get(event.params_ref.key, event.params_ref.bytes)) == params[1]


def test_a_result_that_json_cannot_hold_is_a_failure_that_names_the_instance(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    @job_name("opaque")
    def opaque(params: dict[str, Any]) -> object:
        return object()

    orchestration = service.kick_off_job("opaque", [{}])
    launch(orchestration, jobs=Jobs([opaque]))
    aggregate()
    failures = service.get_job_results(orchestration.id, timeout=0).failures
    assert failures is not None
    assert "InvalidResult" in failures[0].error.type
    assert f"opaque[0] {failures[0].job_id}" in failures[0].error.message


def test_a_job_that_the_container_does_not_have_errors_every_instance_with_the_names_it_has(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    orchestration = service.kick_off_job("hlave", [{"n": 1}, {"n": 2}], parallelism=1)
    launch(orchestration)
    aggregate()
    successes, failures = service.get_job_results(orchestration.id, timeout=0)
    assert successes == []
    assert failures is not None
    assert ["'halve'" in failure.error.message for failure in failures] == [True, True]
    assert [failure.attempts for failure in failures] == [0, 0]


def test_a_job_whose_annotation_cannot_be_read_errors_every_instance_with_the_reason(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    """An image that was built without listing its jobs: its container is not lost again and again."""

    @job_name("unread")
    def unread(params: "Missing") -> None:  # type: ignore[name-defined] # noqa: F821 -- as imported for type checkers
        ...

    orchestration = service.kick_off_job("unread", [{}, {}], parallelism=1)
    launch(orchestration, jobs=Jobs([unread]))
    aggregate()
    failures = service.get_job_results(orchestration.id, timeout=0).failures
    assert failures is not None
    assert ["'Missing' is not defined" in failure.error.message for failure in failures] == [True, True]
    assert [failure.attempts for failure in failures] == [0, 0]


class Delivery(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    customer_id: str = Field(alias="customerId")
    day: date

    @computed_field  # type: ignore[prop-decorator] # mypy knows no decorated property
    @property
    def year(self) -> int:
        return self.day.year


@job_name("deliver")
def deliver(params: Annotated[Delivery, AfterValidator(lambda delivery: delivery)]) -> Delivery:
    assert params == GIVEN
    return params


GIVEN = Delivery(customerId="acme", day=date(2026, 1, 1))


@pytest.mark.parametrize("job", [deliver, "deliver"])
def test_a_model_arrives_as_it_was_given_and_a_result_is_written_by_its_aliases(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any], job: Any
) -> None:
    orchestration = service.kick_off_job(job, [GIVEN])
    launch(orchestration, jobs=Jobs([deliver]))
    aggregate()
    (success,), failures = service.get_job_results(orchestration.id, timeout=0)
    assert failures is None
    assert success.result == {"customerId": "acme", "day": "2026-01-01", "year": 2026}


def test_a_relaunched_container_repeats_only_what_has_no_outcome(
    service: OrchestrationService, launch: Callable[..., None], stores: Stores
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 2}, {"n": 4}, {"n": "die"}, {"n": 6}], parallelism=1)
    with pytest.raises(Died):
        launch(orchestration)
    with pytest.raises(Died):
        launch(orchestration)
    assert ran == [0, 1, 2, 2]
    starts = [start.attempt for start in stores.event_log.read_starts(orchestration.id, 2, 2)]
    assert starts == [1, 2]


def test_an_instance_that_keeps_killing_its_container_is_left_out_and_the_rest_goes_on(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 2}, {"n": "die"}, {"n": 6}], parallelism=1)
    for _ in range(2):
        with pytest.raises(Died):
            launch(orchestration)
    launch(orchestration)
    aggregate()

    successes, failures = service.get_job_results(orchestration.id, timeout=0)

    assert [success.index for success in successes] == [0, 2]
    assert failures is not None
    assert [(f.index, f.error.type, f.attempts, f.params) for f in failures] == [
        (1, "ContainerLost", 2, {"n": "die"})
    ]


TASK = {
    "TaskArn": "arn:aws:ecs:eu-central-1:1:task/t",
    "StopCode": "EssentialContainerExited",
    "StoppedReason": "Essential container in task exited",
    "Containers": [
        {"Name": "job", "ExitCode": 137, "Reason": "OutOfMemoryError: Container killed due to memory usage"}
    ],
}


def test_closing_a_share_errors_what_has_no_outcome_and_says_how_the_container_ended(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any], stores: Stores
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 2}, {"n": "die"}, {"n": 6}, {"n": 8}], parallelism=2)
    with pytest.raises(Died):
        launch(orchestration, share=0)
    request = CloseRequest.model_validate(
        {
            "orchestration_id": orchestration.id,
            "indices": "0-1",
            "error": {"Error": "States.TaskFailed", "Cause": json.dumps(TASK)},
        }
    )

    assert close_unfinished(request, stores) == 1
    assert close_unfinished(request, stores) == 0

    launch(orchestration, share=1)
    aggregate()
    successes, failures = service.get_job_results(orchestration.id, timeout=0)
    assert [success.index for success in successes] == [0, 2, 3]
    assert failures is not None
    assert (failures[0].index, failures[0].params) == (1, {"n": "die"})
    assert "exit code 137; OutOfMemoryError" in failures[0].error.message


LAUNCHES = 5
"""A budget of the state machine."""


def test_a_share_is_launched_as_long_as_it_makes_progress_however_many_instances_end_its_containers(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any], stores: Stores
) -> None:
    """The state machine counts launches; what they have achieved is in the log."""
    dying = {1, 2, 4, 5, 6}
    params = [{"n": "die" if n in dying else 2 * n} for n in range(8)]
    orchestration = service.kick_off_job("halve", params, parallelism=1)
    request = {
        "orchestration_id": orchestration.id,
        "indices": "0-7",
        "error": {"Error": "States.TaskFailed", "Cause": json.dumps(TASK)},
    }

    def spend_budget() -> bool:
        for _ in range(LAUNCHES):
            try:
                launch(orchestration)
            except Died:
                continue
            return True
        return False

    rounds, closed = 0, Closed(0, len(params))
    while not spend_budget():
        rounds += 1
        closed = relaunch_or_close(
            CloseRequest.model_validate({**request, "left_before": closed.left}), stores
        )
        assert closed.closed == 0
        assert closed.left > 0

    assert rounds > 1
    aggregate()
    successes, failures = service.get_job_results(orchestration.id, timeout=0)
    assert {success.index for success in successes} == set(range(8)) - dying
    assert {failure.index: failure.attempts for failure in failures or []} == dict.fromkeys(dying, 2)


@pytest.mark.parametrize(
    "error",
    [
        {"Error": "States.TaskFailed", "Cause": json.dumps(TASK)},
        {"Error": "ECS.AmazonECSException", "Cause": "Capacity is unavailable"},
    ],
)
def test_a_share_whose_launches_achieved_nothing_is_closed(
    service: OrchestrationService, stores: Stores, error: dict[str, str]
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 2}, {"n": 4}], parallelism=1)
    request = {"orchestration_id": orchestration.id, "indices": "0-1", "error": error}
    assert relaunch_or_close(CloseRequest.model_validate(request), stores) == Closed(2, 0)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (None, "The execution ended"),
        ({"Error": "ECS.AmazonECSException", "Cause": "Capacity is unavailable"}, "Capacity is unavailable"),
    ],
)
def test_closing_all_that_is_left_ends_the_orchestration(
    service: OrchestrationService,
    aggregate: Callable[[], Any],
    stores: Stores,
    error: dict[str, str] | None,
    message: str,
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": n} for n in range(300)], parallelism=2)
    request = CloseRequest.model_validate({"orchestration_id": orchestration.id, "error": error})
    assert close_unfinished(request, stores) == 300
    aggregate()
    failures = service.get_job_results(orchestration.id, timeout=0).failures
    assert failures is not None
    assert len(failures) == 300
    assert failures[299].params == {"n": 299}
    assert message in failures[299].error.message
    # and once all instances are final, nothing is left to close
    assert close_unfinished(request, stores) == 0


def test_every_orchestration_gets_one_completion_however_often_the_log_is_delivered(
    service: OrchestrationService,
    launch: Callable[..., None],
    aggregate: Callable[[], Any],
    stores: Stores,
    settings: Settings,
) -> None:
    bus_arn = clients.events().describe_event_bus(Name=settings.event_bus)["Arn"]
    clients.events().create_archive(ArchiveName="all", EventSourceArn=bus_arn)
    orchestration = service.kick_off_job("halve", [{"n": 2}])
    empty = service.kick_off_job("halve", [])
    launch(orchestration)

    for _ in range(3):
        assert aggregate() == []

    # each is completed once; publishing may repeat, with the same event id
    assert orchestration.summary().done
    assert empty.summary().done
    assert clients.events().describe_archive(ArchiveName="all")["EventCount"] >= 2
    items = clients.dynamodb().scan(TableName=settings.event_log_table)["Items"]
    assert [item["type"]["S"] for item in items].count("OrchestrationCompleted") == 2


def test_a_record_that_is_no_event_is_reported_and_holds_up_nobody(
    service: OrchestrationService,
    launch: Callable[..., None],
    aggregate: Callable[[], Any],
    given_up: list[UnreadableRecord],
    settings: Settings,
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 2}])
    place: Any = {"pk": {"S": log_partition("default", orchestration.id)}, "sk": {"S": "y"}}
    clients.dynamodb().put_item(TableName=settings.event_log_table, Item=place)
    launch(orchestration)
    assert aggregate() == []
    assert [unreadable.sort for unreadable in given_up] == ["y"]
    assert orchestration.done()


def test_watching_ends_by_itself_and_waiting_can_time_out(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 2}, {"n": 3}], parallelism=1)
    aggregate()
    with pytest.raises(TimeoutError, match="0 of 2 instances"):
        orchestration.wait(timeout=0.01)
    launch(orchestration)
    aggregate()
    updates = list(orchestration.watch())
    assert updates[-1].summary.all_final
    assert {move.index for update in updates for move in update.transitions} == {0, 1}


def test_what_ended_its_container_for_want_of_memory_runs_again_in_each_that_has_more(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any], stores: Stores
) -> None:
    """It would be left out by the second time, though the next container may have room for it."""
    larger = {"BACKGROUND_JOBS_AFTER_OUT_OF_MEMORY": "true"}
    orchestration = service.kick_off_job("halve", [{"n": 2}, {"n": "die"}, {"n": 6}], parallelism=1)
    # given a container that ran out of memory again and again, and had more each time
    for variables in ({}, larger, larger, larger):
        with pytest.raises(Died):
            launch(orchestration, **variables)
    # when none has more any more, it is left out as ever
    with pytest.raises(Died):
        launch(orchestration)
    launch(orchestration)
    aggregate()
    failures = service.get_job_results(orchestration.id, timeout=0).failures
    assert [(f.index, f.error.type, f.attempts) for f in failures or []] == [(1, "ContainerLost", 5)]
    events = stores.event_log.read_all(orchestration.id, 3)
    reasons = [event.error.message for event in events if isinstance(event, JobAttemptFailed)]
    assert ["ran out of memory, and this one has more" in reason for reason in reasons] == [True] * 3
