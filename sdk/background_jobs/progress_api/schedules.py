"""The routes of schedules; each is one call of the service."""

from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from background_jobs.core.bounds import PageSize
from background_jobs.core.limits import PAGE
from background_jobs.core.options import keywords_of
from background_jobs.core.schedules.definition import SCHEDULE_NAME, Overlap
from background_jobs.core.schedules.occurrences import ScheduleRun
from background_jobs.core.schedules.options import ScheduleOptions
from background_jobs.core.views.schedule import ScheduleView
from background_jobs.orchestration_service import OrchestrationService, Schedule
from background_jobs.progress_api.models import Problem, ScheduleBody

router = APIRouter(prefix="/schedules", tags=["schedules"])

Name = Annotated[str, Path(pattern=SCHEDULE_NAME, description="The schedule's name.")]

_DECLARED: Final[dict[int | str, dict[str, Any]]] = {
    409: {"model": Problem, "description": "The schedule is declared in the stack."}
}
_ENDED: Final[dict[int | str, dict[str, Any]]] = {
    409: {"model": Problem, "description": "The schedule is over, or declared in the stack."}
}


class Schedules(BaseModel):
    """All schedules of the environment, by name."""

    schedules: list[ScheduleView]


class ScheduleRuns(BaseModel):
    """Occurrences, and what became of each."""

    runs: list[ScheduleRun]


class RunNowBody(BaseModel):
    """How to run a schedule's job now."""

    model_config = ConfigDict(extra="forbid")

    force: bool = False
    """Whether to run beside a run that is still in progress, whatever the schedule's overlap."""


class BackfillBody(BaseModel):
    """Which occurrences of the past are to run."""

    model_config = ConfigDict(extra="forbid")

    from_: AwareDatetime = Field(alias="from")
    to: AwareDatetime = Field(description="Not included.")
    overlap: Overlap | None = Field(default=None, description="Replaces the schedule's own.")


def _schedule(request: Request, name: str) -> Schedule:
    return cast("Schedule", request.app.state.service.schedule(name))


@router.get("")
def list_schedules(request: Request) -> Schedules:
    """List all schedules."""
    return Schedules(schedules=[schedule.view() for schedule in request.app.state.service.schedules()])


@router.get("/{name}")
def show(name: Name, request: Request) -> ScheduleView:
    """Return a schedule, and when it is due next."""
    return _schedule(request, name).view()


@router.put("/{name}", responses=_DECLARED)
def define(name: Name, body: ScheduleBody, request: Request) -> ScheduleView:
    """Make a schedule, or redefine the one of this name; one that is paused stays so."""
    service = cast("OrchestrationService", request.app.state.service)
    schedule = service.schedule_job(name, body.job_name, body.params, **keywords_of(ScheduleOptions, body))
    return schedule.view()


@router.get("/{name}/runs")
def runs(name: Name, request: Request, limit: Annotated[PageSize, Query()] = PAGE) -> ScheduleRuns:
    """List what became of the last occurrences: started, queued, skipped or missed."""
    return ScheduleRuns(runs=_schedule(request, name).runs(limit))


@router.post("/{name}/pause", responses=_ENDED)
def pause(name: Name, request: Request) -> ScheduleView:
    """Make nothing due until the schedule is resumed."""
    schedule = _schedule(request, name)
    schedule.pause()
    return schedule.view()


@router.post("/{name}/resume", responses=_ENDED)
def resume(name: Name, request: Request) -> ScheduleView:
    """Go on after a pause."""
    schedule = _schedule(request, name)
    schedule.resume()
    return schedule.view()


@router.post("/{name}/run-now", status_code=201, responses=_ENDED)
def run_now(name: Name, body: RunNowBody, request: Request) -> ScheduleRun:
    """Run the job now, as if it were due; the answer says what became of that."""
    return _schedule(request, name).run_now(force=body.force)


@router.post("/{name}/backfill", status_code=201, responses=_ENDED)
def backfill(name: Name, body: BackfillBody, request: Request) -> ScheduleRuns:
    """Run the occurrences of a time that did not run, and say what became of each, oldest first."""
    return ScheduleRuns(runs=_schedule(request, name).backfill(body.from_, body.to, overlap=body.overlap))


@router.delete("/{name}", status_code=204, responses=_ENDED)
def delete(name: Name, request: Request) -> None:
    """Delete a schedule and empty its queue; its history stays."""
    _schedule(request, name).delete()
