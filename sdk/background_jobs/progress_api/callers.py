"""Whoever sends a request, and the only way of its route to orchestrations and schedules.

On Lambda, API Gateway has verified the caller's token and hands its claims on in the request's context.
AWS Lambda Web Adapter puts that context into a header, in place of any header of this name that the client
sent. Source: aws/aws-lambda-web-adapter on GitHub, `fetch_response` in src/lib.rs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, cast

from fastapi import Depends, Request
from pydantic import BaseModel, Field, ValidationError
from starlette.datastructures import Headers

from background_jobs.aws.stores import Stores
from background_jobs.core.access import READ, WRITE, Access, access_of, service_scope
from background_jobs.core.errors import NotAllowed, OrchestrationNotFound, ScheduleNotFound
from background_jobs.core.options import KickOffOptions, RerunOptions, keywords_of
from background_jobs.core.schedules.options import ScheduleOptions
from background_jobs.core.sign_in import Session
from background_jobs.core.stages import services_of_stages
from background_jobs.core.views.jobs import JobView, KickOffPreview
from background_jobs.core.views.orchestration import OrchestrationCounts, OrchestrationPage
from background_jobs.core.views.rerun_preview import RerunPreview
from background_jobs.core.views.schedule import ScheduleState
from background_jobs.orchestration_service import Orchestration, OrchestrationService, Pipeline, Schedule
from background_jobs.orchestration_service.jobs import JobList, find_job
from background_jobs.progress_api.models import KickOffBody, RerunBody, ScheduleBody
from background_jobs.progress_api.sign_in.session_key import SESSION_KEY
from background_jobs.settings import Settings

CONTEXT_HEADER: Final = "x-amzn-request-context"


class CallerView(BaseModel):
    """Who sends a request, and what it may do."""

    name: str
    """The subject of its token, or the ARN of its AWS identity; empty where unknown."""
    environment: str
    readable: list[str] | None
    """The services that it may read; null for all."""
    writable: list[str] | None
    """The services whose jobs it may kick off and change; null for all."""
    signs_in: bool
    """Whether people sign in here, and can sign out."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Reaches what its access allows; what it may not read is not there for it.

    Every method raises NotAllowed where the caller may read something, and not change it.
    """

    service: OrchestrationService
    stores: Stores
    settings: Settings
    access: Access
    name: str = ""
    """Who the caller is: the subject of its token, or the ARN of its AWS identity; empty where unknown."""

    def history(self, **filters: Any) -> OrchestrationPage:  # noqa: ANN401 -- those of the service
        """Return a page of the orchestrations that the caller may read."""
        return self.service.history_view(**filters, services=self.access.readable)

    def counts(self) -> OrchestrationCounts:
        """Count the orchestrations that the caller may read, and that need a look."""
        return self.service.counts(self.access.readable)

    def orchestration(self, orchestration_id: str) -> Orchestration:
        """Return an orchestration to read. Raises OrchestrationNotFound."""
        if self.access.readable is not None and not self.access.may_read(self._service_of(orchestration_id)):
            raise OrchestrationNotFound(orchestration_id)
        return self.service.orchestration(orchestration_id)

    def orchestration_to_change(self, orchestration_id: str) -> Orchestration:
        """Return an orchestration to cancel. Raises OrchestrationNotFound."""
        orchestration = self.orchestration(orchestration_id)
        if self.access.writable is not None:
            self._require_write([self._service_of(orchestration_id)])
        return orchestration

    def kick_off(self, body: KickOffBody) -> Orchestration:
        """Kick off a job, if the caller may do so in its service and in those of the stages after it."""
        self._require_write(services_of_stages(body.service or self.settings.service, body.then))
        return self.service.kick_off_job(body.job_name, body.params, **keywords_of(KickOffOptions, body))

    def rerun(self, orchestration_id: str, body: RerunBody) -> Orchestration:
        """Run instances again; where a pipeline stopped, the stages that follow are started as well."""
        orchestration = self.orchestration(orchestration_id)
        if self.access.writable is not None:
            self._require_write(self._services_from(orchestration_id))
        return orchestration.rerun(**keywords_of(RerunOptions, body))

    def preview_rerun(self, orchestration_id: str, body: RerunBody) -> RerunPreview:
        """Return what a rerun would run."""
        return self.orchestration(orchestration_id).preview_rerun(**keywords_of(RerunOptions, body))

    def pipeline(self, orchestration_id: str) -> Pipeline:
        """Return the pipeline of an orchestration to read, if the caller may read all of its stages."""
        pipeline = self.orchestration(orchestration_id).pipeline()
        if self.access.readable is not None:
            self._require(READ, self._services_from(pipeline.id))
        return pipeline

    def pipeline_to_change(self, orchestration_id: str) -> Pipeline:
        """Return the pipeline of an orchestration to cancel, if the caller may change all of its stages."""
        pipeline = self.pipeline(orchestration_id)
        if self.access.writable is not None:
            self._require_write(self._services_from(pipeline.id))
        return pipeline

    def view(self, *, signs_in: bool) -> CallerView:
        """Return who the caller is, and what it may do."""
        access = self.access
        return CallerView(
            name=self.name,
            environment=self.settings.environment,
            readable=None if access.readable is None else sorted(access.readable),
            writable=None if access.writable is None else sorted(access.writable),
            signs_in=signs_in,
        )

    def jobs(self) -> JobList:
        """Return the jobs of the services that the caller may read."""
        readable = self.access.readable
        jobs = self.service.jobs()
        return jobs if readable is None else jobs.of(readable)

    def job(self, name: str, service: str | None) -> JobView:
        """Return one of them. Raises JobNotFound."""
        return find_job(self.jobs(), name, service, self.settings)

    def preview_kick_off(
        self, name: str, service: str | None, params: Sequence[Any], parallelism: int | None
    ) -> KickOffPreview:
        """Return what a kick-off would run, if the caller may kick it off."""
        job = self.job(name, service)
        self._require_write([service or job.service or self.settings.service])
        return self.service.preview_kick_off(job, params, parallelism=parallelism)

    def schedules(self) -> list[Schedule]:
        """Return the schedules that the caller may read."""
        schedules = self.service.schedules()
        return [schedule for schedule in schedules if self.access.may_read(schedule.definition.service)]

    def schedule(self, name: str) -> Schedule:
        """Return a schedule to read. Raises ScheduleNotFound."""
        schedule = self.service.schedule(name)
        if not self.access.may_read(schedule.definition.service):
            raise ScheduleNotFound(name)
        return schedule

    def schedule_to_change(self, name: str) -> Schedule:
        """Return a schedule to change, if the caller may change all that it starts."""
        schedule = self.schedule(name)
        definition = schedule.definition
        self._require_write(services_of_stages(definition.service, definition.then))
        return schedule

    def is_new_schedule(self, name: str) -> bool:
        """Tell whether there is no schedule of this name that the caller may read, or one that is over."""
        try:
            return self.schedule(name).state is ScheduleState.OVER
        except ScheduleNotFound:
            return True

    def define_schedule(self, name: str, body: ScheduleBody) -> Schedule:
        """Make or redefine a schedule, if the caller may change all that it starts, and what it replaces."""
        self._require_write(services_of_stages(body.service or self.settings.service, body.then))
        if self.access.writable is not None:
            self._refuse_to_replace(name)
        return self.service.schedule_job(
            name, body.job_name, body.params, **keywords_of(ScheduleOptions, body)
        )

    def _refuse_to_replace(self, name: str) -> None:
        try:
            definition = self.service.schedule(name).definition
        except ScheduleNotFound:
            return
        if not all(map(self.access.may_write, services_of_stages(definition.service, definition.then))):
            raise NotAllowed(f"The schedule {name!r} starts jobs that you may not; take another name.")

    def _service_of(self, orchestration_id: str) -> str:
        return self.stores.service_lookup.find(orchestration_id)

    def _services_from(self, orchestration_id: str) -> list[str]:
        """Return the services of an orchestration and of the stages after it."""
        started = self.stores.event_log.read_started(orchestration_id)
        return services_of_stages(started.service, started.then)

    def _require_write(self, services: Iterable[str]) -> None:
        self._require(WRITE, services)

    def _require(self, what: str, services: Iterable[str]) -> None:
        may = self.access.may_write if what == WRITE else self.access.may_read
        for service in services:
            if not may(service):
                scope = service_scope(self.settings.environment, what, service)
                raise NotAllowed(
                    f"You may not {what} jobs of service {service!r}, which this needs. "
                    f"Ask for the scope or the group {scope}, or name another service."
                )


class Callers:
    """Finds out what the sender of a request may do; all of them may do all where there are no scopes."""

    def __init__(self, service: OrchestrationService, stores: Stores, settings: Settings) -> None:
        self._service = service
        self._stores = stores
        self._settings = settings

    def unlimited(self, name: str = "") -> Caller:
        """Return a caller that may do everything."""
        return self._caller(Access(), name)

    def of_session(self, session: Session) -> Caller:
        """Return the caller that has signed in. Raises NotAllowed if its groups allow nothing."""
        access = session.access(self._settings.environment)
        if access.is_empty:
            raise NotAllowed("You are in no group that may look at this environment. Ask who runs it.")
        return self._caller(access, session.name)

    def of_token(self, headers: Headers) -> Caller:
        """Return the caller whose token API Gateway has verified.

        Raises NotAllowed if its token allows nothing.
        """
        environment = self._settings.environment
        access = access_of(_granted(headers), environment)
        if access.is_empty:
            raise NotAllowed(
                f"Your token allows no service of environment {environment!r}. Ask for a scope or a group "
                f"like {service_scope(environment, READ, '<service>')}, and then for a new token."
            )
        return self._caller(access, name_of(headers))

    def _caller(self, access: Access, name: str) -> Caller:
        service = OrchestrationService(self._settings, actor=name) if name else self._service
        return Caller(service, self._stores, self._settings, access, name)


async def _find_caller(request: Request) -> Caller:
    state = request.app.state
    callers = cast("Callers", state.callers)
    if SESSION_KEY in request.scope:
        return callers.of_session(_require_session(request))
    if state.user_pool_scopes:
        return callers.of_token(request.headers)
    return callers.unlimited(_verified_name(request))


def _require_session(request: Request) -> Session:
    session = request.scope[SESSION_KEY]
    if not isinstance(session, Session):
        # The channel of browsers refuses those without one before; this holds whatever becomes of it.
        raise NotAllowed("You are not signed in. Sign in first.")
    return session


def _verified_name(request: Request) -> str:
    """Return who the caller is; where no API Gateway is before, anybody may write its header.

    Raises NotAllowed for somebody whom it does not know, where it lets browsers through unknown.
    """
    state = request.app.state
    if not state.has_gateway:
        return str(state.actor)
    name = name_of(request.headers)
    if state.sign_in is not None and not name:
        raise NotAllowed("API Gateway does not say who you are. Sign the request, or sign in to the console.")
    return name


def caller_of_stream(request: Request) -> Caller:
    """Return the caller for the one orchestration that a verified stream token names."""
    return cast("Callers", request.app.state.callers).unlimited()


RequestCaller = Annotated[Caller, Depends(_find_caller)]
"""The parameter of every route that reads or changes anything."""


class _Claims(BaseModel):
    sub: str = ""
    scope: str = ""
    groups: str = Field(default="", alias="cognito:groups")


class _Authorizer(BaseModel):
    claims: _Claims = _Claims()


class _Identity(BaseModel):
    user_arn: str | None = Field(default=None, alias="userArn")


class _RequestContext(BaseModel):
    authorizer: _Authorizer = _Authorizer()
    identity: _Identity = _Identity()


def _granted(headers: Headers) -> frozenset[str]:
    """Return the scopes and groups of the token; none where its claims are not as API Gateway writes them.

    Source: Amazon API Gateway hands claims on as texts; scopes are separated by spaces, groups by commas.
    """
    claims = _read_context(headers).authorizer.claims
    return frozenset(claims.scope.split()) | frozenset(claims.groups.split(","))


def name_of(headers: Headers) -> str:
    """Return who the caller is by what API Gateway has verified; empty where it has verified nothing."""
    context = _read_context(headers)
    return context.authorizer.claims.sub or context.identity.user_arn or ""


def _read_context(headers: Headers) -> _RequestContext:
    """Return the context of API Gateway; an empty one where it is not as it writes it."""
    contexts = [value for name, value in headers.raw if name == CONTEXT_HEADER.encode()]
    if len(contexts) != 1:
        return _RequestContext()
    try:
        return _RequestContext.model_validate_json(contexts[0])
    except ValidationError:
        return _RequestContext()
