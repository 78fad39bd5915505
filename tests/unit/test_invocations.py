"""What the stack writes into the inputs of rules and schedules is what the function reads."""

import pytest
from pydantic import ValidationError

from background_jobs.control_plane.kick_off_job import parse_invocation
from background_jobs.core.completion import JobCompletedEvent
from background_jobs.core.invocations import JobCompletedDelivery, ScheduleRunCompleted, StartStage
from background_jobs.core.stages import Stage
from tests.unit.histories import at


@pytest.mark.parametrize(
    "written",
    [
        ScheduleRunCompleted(schedule="hourly"),
        StartStage(orchestration_id="1", rule="LoadAfterExtract", stage=Stage("load", then=Stage("report"))),
    ],
)
def test_the_input_of_a_rule_is_read_as_it_was_written(written: ScheduleRunCompleted | StartStage) -> None:
    assert parse_invocation(written.to_input()) == written


def test_a_completion_is_read_as_the_bus_delivers_it() -> None:
    completed = JobCompletedEvent(
        event_id="e", orchestration_id="1", job_name="load", service="default", outcome="Completed",
        total=1, completed=1, errored=0, started_at=at(0), completed_at=at(1), tags={},
    )  # fmt: skip
    delivered = {
        "id": "0", "source": "background-jobs", "detail-type": "JobCompletedEvent",
        "detail": completed.model_dump(mode="json"),
    }  # fmt: skip
    parsed = parse_invocation(delivered)
    assert isinstance(parsed, JobCompletedDelivery)
    assert parsed.detail == completed


@pytest.mark.parametrize("event", [{}, {"definition": {}}, {"type": "ScheduleRunCompleted"}])
def test_an_input_that_is_no_invocation_is_refused(event: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        parse_invocation(event)
