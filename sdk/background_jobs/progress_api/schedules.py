"""The routes of schedules; each is one call of its caller."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from background_jobs.core.bounds import PageSize
from background_jobs.core.limits import PAGE
from background_jobs.core.schedules.definition import SCHEDULE_NAME, Overlap
from background_jobs.core.schedules.occurrences import ScheduleRun
from background_jobs.core.views.schedule import ScheduleView
from background_jobs.progress_api.callers import RequestCaller
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
    """The schedules that the caller may read, by name."""

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


@router.get("")
def list_schedules(caller: RequestCaller) -> Schedules:
    """List all schedules."""
    return Schedules(schedules=[schedule.view() for schedule in caller.schedules()])


@router.get("/{name}")
def show(name: Name, caller: RequestCaller) -> ScheduleView:
    """Return a schedule, and when it is due next."""
    return caller.schedule(name).view()


@router.put("/{name}", responses=_DECLARED)
def define(name: Name, body: ScheduleBody, caller: RequestCaller) -> ScheduleView:
    """Make a schedule, or redefine the one of this name; one that is paused stays so."""
    return caller.define_schedule(name, body).view()


@router.get("/{name}/runs")
def runs(name: Name, caller: RequestCaller, limit: Annotated[PageSize, Query()] = PAGE) -> ScheduleRuns:
    """List what became of the last occurrences: started, queued, skipped or missed."""
    return ScheduleRuns(runs=caller.schedule(name).runs(limit))


@router.post("/{name}/pause", responses=_ENDED)
def pause(name: Name, caller: RequestCaller) -> ScheduleView:
    """Make nothing due until the schedule is resumed."""
    schedule = caller.schedule_to_change(name)
    schedule.pause()
    return schedule.view()


@router.post("/{name}/resume", responses=_ENDED)
def resume(name: Name, caller: RequestCaller) -> ScheduleView:
    """Go on after a pause."""
    schedule = caller.schedule_to_change(name)
    schedule.resume()
    return schedule.view()


@router.post("/{name}/run-now", status_code=201, responses=_ENDED)
def run_now(name: Name, body: RunNowBody, caller: RequestCaller) -> ScheduleRun:
    """Run the job now, as if it were due; the answer says what became of that."""
    return caller.schedule_to_change(name).run_now(force=body.force)


@router.post("/{name}/backfill", status_code=201, responses=_ENDED)
def backfill(name: Name, body: BackfillBody, caller: RequestCaller) -> ScheduleRuns:
    """Run the occurrences of a time that did not run, and say what became of each, oldest first."""
    return ScheduleRuns(
        runs=caller.schedule_to_change(name).backfill(body.from_, body.to, overlap=body.overlap)
    )


@router.delete("/{name}", status_code=204, responses=_ENDED)
def delete(name: Name, caller: RequestCaller) -> None:
    """Delete a schedule and empty its queue; its history stays."""
    caller.schedule_to_change(name).delete()
