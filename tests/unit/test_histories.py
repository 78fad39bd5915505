"""Every history ever released replays for ever; the files are never edited, only added to."""

import json
from pathlib import Path
from typing import Any

import pytest

from background_jobs.core import statuses
from background_jobs.core.completion import decide_completion
from background_jobs.core.events import EVENT_TYPES, OrchestrationCompleted, parse_event
from background_jobs.core.fold import fold
from background_jobs.core.read_model import ReadModel, Summary
from background_jobs.core.schedules.events import SCHEDULE_EVENT_TYPES, parse_schedule_event

HISTORIES = sorted((Path(__file__).parent.parent / "histories").glob("v*/*.json"))
SCHEDULES = sorted((Path(__file__).parent.parent / "histories").glob("v*/schedules/*.json"))


@pytest.fixture(params=HISTORIES, ids=[f"{path.parent.name}/{path.stem}" for path in HISTORIES])
def history(request: pytest.FixtureRequest) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(request.param.read_text())
    return loaded


def test_a_released_history_still_makes_the_same_read_model(history: dict[str, Any]) -> None:
    events = [parse_event(json.dumps(event)) for event in history["events"]]
    model = fold(ReadModel(Summary(orchestration_id=events[0].orchestration_id)), events).model
    assert json.loads(model.summary.model_dump_json()) | history["summary"] == json.loads(
        model.summary.model_dump_json()
    )
    ranks = [model.chunks[0].rank(index) for index in range(model.summary.total or 0)]
    assert [statuses.status_of(rank).value for rank in ranks] == history["statuses"]
    (stored,) = [event for event in events if isinstance(event, OrchestrationCompleted)]
    assert decide_completion(model.summary) == stored


def test_the_history_of_a_schedule_still_lies_where_it_lay() -> None:
    for path in SCHEDULES:
        for stored in json.loads(path.read_text())["events"]:
            event = parse_schedule_event(json.dumps(stored["event"]))
            assert list(event.key) == stored["key"]
            written = json.loads(event.model_dump_json(exclude_none=True))
            assert written | stored["event"] == written


def test_every_type_of_event_is_in_a_released_history() -> None:
    """One that is added is not released before a history with it is kept."""
    histories = [json.loads(path.read_text())["events"] for path in HISTORIES]
    schedules = [json.loads(path.read_text())["events"] for path in SCHEDULES]
    assert {event["type"] for events in histories for event in events} == EVENT_TYPES
    assert {stored["event"]["type"] for events in schedules for stored in events} == SCHEDULE_EVENT_TYPES
