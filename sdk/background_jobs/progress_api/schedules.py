"""The routes of schedules; each is one call of its caller."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from background_jobs.core.bounds import Moment
from background_jobs.core.errors import InvalidTimeRange, InvalidToken, ScheduleDeclared, ScheduleEnded
from background_jobs.core.limits import PAGE
from background_jobs.core.schedules.definition import SCHEDULE_NAME, Overlap, is_schedule_name
from background_jobs.core.schedules.occurrences import ScheduleRun
from background_jobs.core.schedules.timing import refuse_end_of_calendar
from background_jobs.core.views.page import Page, position_of, token_of
from background_jobs.core.views.schedule import BackfillPreview, ScheduleOccurrences, ScheduleView
from background_jobs.progress_api.callers import RequestCaller
from background_jobs.progress_api.json_bodies import JsonRoute
from background_jobs.progress_api.models import Limit, NextToken, ScheduleBody, ScheduleDefinitionView, locate
from background_jobs.progress_api.problems import Responses, problems

router = APIRouter(prefix="/schedules", tags=["schedules"], route_class=JsonRoute)
occurrences = APIRouter(tags=["schedules"])
_LONGEST_CALENDAR: Final = timedelta(days=31)
CalendarMoment = Annotated[Moment, AfterValidator(refuse_end_of_calendar)]

Name = Annotated[str, Path(pattern=SCHEDULE_NAME, description="The schedule's name.")]

_CREATED: Final[Responses] = {201: {"model": ScheduleView, "description": "The schedule is new."}}
_CHANGE: Final = problems(ScheduleDeclared, ScheduleEnded)


class SchedulePage(Page[ScheduleView]):
    """A page of the schedules that the caller may read, by name."""


class ScheduleRunPage(Page[ScheduleRun]):
    """A page of occurrences, and what became of each."""


class OccurrencePage(Page[ScheduleOccurrences]):
    """When each of the schedules is due that the caller may read; there is one page."""


class RunNowBody(BaseModel):
    """How to run a schedule's job now."""

    model_config = ConfigDict(extra="forbid")

    force: bool = False
    """Whether to run beside a run that is still in progress, whatever the schedule's overlap."""


OptionalRunNow = Annotated[RunNowBody, Body(default_factory=RunNowBody)]


class BackfillBody(BaseModel):
    """Which occurrences of the past are to run."""

    model_config = ConfigDict(extra="forbid")

    from_: CalendarMoment = Field(alias="from")
    to: CalendarMoment = Field(description="Not included.")
    overlap: Overlap | None = Field(default=None, description="Replaces the schedule's own.")


@router.get("")
def list_schedules(caller: RequestCaller, limit: Limit = PAGE, next_token: NextToken = None) -> SchedulePage:
    """List the schedules by name, those that are over excepted."""
    if next_token is not None and not is_schedule_name(next_token):
        raise InvalidToken(next_token)
    following = [schedule for schedule in caller.schedules() if schedule.name > (next_token or "")]
    page = following[:limit]
    return SchedulePage(
        items=[schedule.view() for schedule in page],
        next_token=page[-1].name if len(following) > limit else None,
    )


@occurrences.get("/occurrences")
def list_occurrences(
    caller: RequestCaller,
    from_: Annotated[CalendarMoment, Query(alias="from")],
    to: Annotated[CalendarMoment, Query(description="Not included; at most 31 days later.")],
) -> OccurrencePage:
    """List when the schedules that are active are due within some time, by schedule."""
    if not timedelta() < to - from_ <= _LONGEST_CALENDAR:
        raise InvalidTimeRange("`to` must be later than `from`, by 31 days at most.")
    views = (schedule.occurrences(from_, to) for schedule in caller.schedules())
    return OccurrencePage(items=[view for view in views if view.occurrences])


@router.get("/{name}")
def show_schedule(name: Name, caller: RequestCaller) -> ScheduleView:
    """Return a schedule, and when it is due next."""
    return caller.schedule(name).view()


@router.put("/{name}", responses=_CREATED | problems(ScheduleDeclared))
def define_schedule(
    name: Name, body: ScheduleBody, caller: RequestCaller, request: Request, response: Response
) -> ScheduleView:
    """Make a schedule (201), or redefine the one of this name (200); one that is paused stays so."""
    is_new = caller.is_new_schedule(name)
    view = caller.define_schedule(name, body).view()
    if is_new:
        response.status_code = HTTPStatus.CREATED
        response.headers["location"] = locate(request, f"schedules/{name}")
    return view


@router.get("/{name}/definition")
def show_schedule_definition(name: Name, caller: RequestCaller) -> ScheduleDefinitionView:
    """Return a schedule as what PUT takes, with its params, to be changed and sent back."""
    return ScheduleDefinitionView.of(caller.schedule(name).definition)


@router.get("/{name}/runs")
def list_schedule_runs(
    name: Name, caller: RequestCaller, limit: Limit = PAGE, next_token: NextToken = None
) -> ScheduleRunPage:
    """List what became of the last occurrences, newest first: started, queued, skipped or missed."""
    begin = position_of(next_token)
    end = begin + limit
    runs = caller.schedule(name).runs(end + 1)
    return ScheduleRunPage(items=runs[begin:end], next_token=token_of(end if len(runs) > end else None))


@router.post("/{name}/pause", responses=_CHANGE)
def pause_schedule(name: Name, caller: RequestCaller) -> ScheduleView:
    """Make nothing due until the schedule is resumed."""
    schedule = caller.schedule_to_change(name)
    schedule.pause()
    return schedule.view()


@router.post("/{name}/resume", responses=_CHANGE)
def resume_schedule(name: Name, caller: RequestCaller) -> ScheduleView:
    """Go on after a pause."""
    schedule = caller.schedule_to_change(name)
    schedule.resume()
    return schedule.view()


@router.post("/{name}/run-now", status_code=201, responses=_CHANGE)
def run_schedule_now(
    name: Name, caller: RequestCaller, body: OptionalRunNow, request: Request, response: Response
) -> ScheduleRun:
    """Run the job now, as if it were due; the answer says what became of that."""
    run = caller.schedule_to_change(name).run_now(force=body.force)
    if run.orchestration_id:
        response.headers["location"] = locate(request, f"orchestrations/{run.orchestration_id}")
    return run


@router.post("/{name}/backfill", status_code=201, responses=_CHANGE)
def backfill_schedule(name: Name, body: BackfillBody, caller: RequestCaller) -> ScheduleRunPage:
    """Run the occurrences of a time that did not run, and say what became of each, oldest first."""
    return ScheduleRunPage(
        items=caller.schedule_to_change(name).backfill(body.from_, body.to, overlap=body.overlap)
    )


@router.get("/{name}/backfill", responses=problems(ScheduleEnded))
def preview_backfill(
    name: Name,
    caller: RequestCaller,
    from_: Annotated[CalendarMoment, Query(alias="from")],
    to: Annotated[CalendarMoment, Query(description="Not included.")],
) -> BackfillPreview:
    """Say which occurrences a backfill would run; nothing is started."""
    return caller.schedule(name).preview_backfill(from_, to)


@router.delete("/{name}", status_code=204, responses=_CHANGE)
def delete_schedule(name: Name, caller: RequestCaller) -> None:
    """Delete a schedule and empty its queue; its history stays."""
    caller.schedule_to_change(name).delete()
