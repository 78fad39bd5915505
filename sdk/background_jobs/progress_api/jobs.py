"""The routes of jobs: which can be kicked off, with what params, and what a kick-off would run."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from background_jobs.core.bounds import JobName, Parallelism, ServiceName
from background_jobs.core.limits import PAGE
from background_jobs.core.views.jobs import JobView, KickOffPreview
from background_jobs.core.views.page import Page, position_of, token_of
from background_jobs.progress_api.callers import CallerView, RequestCaller
from background_jobs.progress_api.json_bodies import JsonRoute
from background_jobs.progress_api.models import Limit, NextToken

router = APIRouter(tags=["jobs"], route_class=JsonRoute)

Name = Annotated[JobName, Path(description="The job's name.")]
Service = Annotated[ServiceName | None, Query(description="Of which service, where several have the job.")]


class JobPage(Page[JobView]):
    """A page of the jobs that the caller may read, by name."""


class PreviewBody(BaseModel):
    """The params of a kick-off that nobody has asked for yet."""

    model_config = ConfigDict(extra="forbid")

    params: list[Any] = Field(description="One job instance for each; what is no object is a problem.")
    parallelism: Parallelism | None = None
    service: ServiceName | None = None


@router.get("/jobs")
def list_jobs(caller: RequestCaller, limit: Limit = PAGE, next_token: NextToken = None) -> JobPage:
    """List the jobs that can be kicked off, with the JSON Schema of their params and their defaults."""
    begin = position_of(next_token)
    end = begin + limit
    jobs = caller.jobs()
    return JobPage(items=jobs[begin:end], next_token=token_of(end if len(jobs) > end else None))


@router.get("/jobs/{name}")
def show_job(name: Name, caller: RequestCaller, service: Service = None) -> JobView:
    """Return one job."""
    return caller.job(name, service)


@router.post("/jobs/{name}/preview")
def preview_kick_off(name: Name, body: PreviewBody, caller: RequestCaller) -> KickOffPreview:
    """Say what a kick-off would run, and which params do not fit the job; nothing is started."""
    return caller.preview_kick_off(name, body.service, body.params, body.parallelism)


@router.get("/caller")
def show_caller(request: Request, caller: RequestCaller) -> CallerView:
    """Say who the caller is, and what it may do."""
    return caller.view(signs_in=request.app.state.sign_in is not None)
