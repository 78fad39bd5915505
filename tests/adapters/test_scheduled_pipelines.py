"""Runs of schedules that have stages: in progress, and waited for, until the last of them has ended."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from background_jobs import InvalidKickOff, OrchestrationService, OrchestrationStatus, Stage
from background_jobs.aws.stores import Stores
from background_jobs.control_plane import kick_off_job
from background_jobs.core import ids
from background_jobs.orchestration_service.schedules import Schedules
from background_jobs.settings import Settings
from tests.adapters.scheduling import Clock, delivered, hourly, states, written

TWICE = Stage("halve", params={"n": "$params.n"}, timeout=timedelta(hours=1))


@pytest.fixture
def complete_stage(
    complete: Callable[[str | None], None],
    stores: Stores,
    settings: Settings,
    aggregate: Callable[[], list[Any]],
) -> Callable[[str], bool]:
    """Run an orchestration to its end and start its next stage; return whether there is one."""

    def complete_stage(orchestration_id: str) -> bool:
        complete(orchestration_id)
        has_next = kick_off_job.start_next("default", orchestration_id, stores, settings)
        assert aggregate() == []
        return has_next

    return complete_stage


def test_a_run_is_in_progress_until_its_last_stage_has_ended(
    schedules: Schedules, service: OrchestrationService, clock: Clock, complete_stage: Callable[[str], bool]
) -> None:
    schedule = hourly(schedules, then=TWICE)
    assert schedule.view().then == ("halve",)
    first = delivered(schedules, clock.move(hours=1)).orchestration_id
    assert complete_stage(first)
    assert delivered(schedules, clock.move(hours=1)).type == "OccurrenceSkipped"
    assert [run.status for run in schedule.runs()] == [None, OrchestrationStatus.IN_PROGRESS]

    assert not complete_stage(ids.next_stage_id(first))
    assert [stage.number for stage in service.pipeline(first).stages()] == [1, 2]
    assert delivered(schedules, clock.move(hours=1)).type == "OccurrenceStarted"
    assert [run.status for run in schedule.runs()] == [
        OrchestrationStatus.IN_PROGRESS,
        None,
        OrchestrationStatus.COMPLETED,
    ]


def test_a_run_whose_next_stage_is_yet_to_start_is_in_progress_but_not_for_ever(
    schedules: Schedules, clock: Clock, complete: Callable[[str | None], None]
) -> None:
    hourly(schedules, then=TWICE)
    complete(delivered(schedules, clock.move(hours=1)).orchestration_id)
    assert delivered(schedules, clock.move(hours=1)).type == "OccurrenceSkipped"
    assert delivered(schedules, clock.move(days=1)).type == "OccurrenceStarted"


def test_what_waits_for_a_run_starts_when_its_next_stage_is_skipped(
    schedules: Schedules, clock: Clock, complete_stage: Callable[[str], bool], stores: Stores
) -> None:
    odd: Any = {"cron": "0 * * * *", "overlap": "queue", "then": TWICE}
    schedule = schedules.define("hourly", "halve", [{"n": 3}], odd)
    first = delivered(schedules, clock.move(hours=1)).orchestration_id
    assert delivered(schedules, clock.move(hours=1)).type == "OccurrenceQueued"
    # the first stage errored, so that nothing follows it
    assert not complete_stage(first)
    assert stores.event_log.read_skipped(first) is not None

    started = schedules.occurrence_runner.start_waiting("hourly")
    assert started is not None
    assert [state for _, state in states(schedule)] == ["started", "started"]
    assert [run.status for run in schedule.runs()] == [
        OrchestrationStatus.IN_PROGRESS,
        OrchestrationStatus.ERRORED,
    ]


def test_stages_that_cannot_be_are_refused_when_the_schedule_is_made(
    schedules: Schedules, settings: Settings
) -> None:
    large = Stage("halve", params=[{"n": 1, "text": "x" * 70_000}])
    with pytest.raises(InvalidKickOff, match="The stages that follow are 70,"):
        hourly(schedules, then=large)
    with pytest.raises(InvalidKickOff, match="parallelism=1000"):
        hourly(schedules, then=Stage("halve", parallelism=1_000))
    assert written(settings) == [0, 0, 0]
