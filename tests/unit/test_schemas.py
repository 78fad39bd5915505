"""The event on the bus as other teams see it: its schema, reading it, and matching it."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator, ValidationError

from background_jobs import JobCompletedEvent
from background_jobs.core.completion import decide_completion
from background_jobs.core.errors import NotAJobCompletedEvent
from background_jobs.core.fold import fold
from background_jobs.core.read_model import ReadModel, Summary
from background_jobs.core.schemas import document, schemas
from tests.unit.histories import ORCHESTRATION_ID, job_completed, job_errored, started

REPOSITORY = Path(__file__).parents[2]


def deliver_event() -> dict[str, Any]:
    """Return a completion as EventBridge delivers it."""
    model = ReadModel(Summary(orchestration_id=ORCHESTRATION_ID))
    summary = fold(
        model, [started(2, tags={"customer": "acme"}), job_completed(0), job_errored(1)]
    ).model.summary
    completion = decide_completion(summary)
    assert completion is not None
    detail = json.loads(JobCompletedEvent.from_completion(completion).model_dump_json())
    return {"source": "background-jobs", "detail-type": "JobCompletedEvent", "detail": detail}


@pytest.mark.parametrize("name", schemas())
def test_the_published_files_are_what_the_command_prints(name: str) -> None:
    shipped = (REPOSITORY / "docs" / "schemas" / f"{name}.json").read_text()
    assert shipped == document(schemas()[name]), "run `make schemas` and commit what it wrote"


def test_an_event_on_the_bus_is_as_its_schema_says_and_another_is_not() -> None:
    validator = Draft202012Validator(schemas()["JobCompletedEvent"])
    validator.validate(deliver_event()["detail"])
    with pytest.raises(ValidationError):
        validator.validate(deliver_event()["detail"] | {"outcome": "Perhaps"})


def test_every_event_of_a_released_history_is_as_the_schema_says() -> None:
    validator = Draft202012Validator(schemas()["events"])
    for path in (REPOSITORY / "tests" / "histories").glob("v*/*.json"):
        for event in json.loads(path.read_text())["events"]:
            validator.validate(event)


def test_an_event_is_read_as_it_was_delivered_and_another_is_refused() -> None:
    event = JobCompletedEvent.from_eventbridge(deliver_event())
    assert (event.orchestration_id, event.outcome, event.tags) == (
        ORCHESTRATION_ID, "Errored", {"customer": "acme"},
    )  # fmt: skip
    assert event.duration.total_seconds() == 2
    with pytest.raises(NotAJobCompletedEvent, match=r"'aws\.ecs' / 'Task State Change'"):
        JobCompletedEvent.from_eventbridge({"source": "aws.ecs", "detail-type": "Task State Change"})
    with pytest.raises(NotAJobCompletedEvent):
        JobCompletedEvent.from_eventbridge(deliver_event() | {"detail": {}})


def test_a_pattern_matches_only_what_its_arguments_name() -> None:
    assert JobCompletedEvent.pattern(job_name="extract", outcome="Completed", tags={"customer": "acme"}) == {
        "source": ["background-jobs"],
        "detail-type": ["JobCompletedEvent"],
        "detail": {"job_name": ["extract"], "outcome": ["Completed"], "tags": {"customer": ["acme"]}},
    }
