"""Every history ever released replays for ever; the files are never edited, only added to."""

import json
from pathlib import Path
from typing import Any

import pytest

from background_jobs.core import statuses
from background_jobs.core.completion import decide_completion
from background_jobs.core.events import OrchestrationCompleted, parse_event
from background_jobs.core.fold import fold
from background_jobs.core.read_model import ReadModel, Summary

HISTORIES = sorted((Path(__file__).parent.parent / "histories").glob("v*/*.json"))


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
