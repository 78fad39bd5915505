"""The caller's service: one call kicks off an orchestration, another brings its results."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final, Unpack, overload

from background_jobs.aws.connections import Connection
from background_jobs.aws.history import HistoryFilter, HistoryPage, is_indexed
from background_jobs.aws.job_catalog import JobCatalog
from background_jobs.aws.stores import Stores
from background_jobs.core import ids
from background_jobs.core.errors import AmbiguousId, InvalidTimeRange, OrchestrationNotFound, OtherJob
from background_jobs.core.job_descriptions import JobDescription
from background_jobs.core.options import KickOffKeywords, KickOffOptions, RerunKeywords, read_options
from background_jobs.core.read_model import Summary
from background_jobs.core.schedules.options import ScheduleKeywords
from background_jobs.core.statuses import OrchestrationStatus
from background_jobs.core.tags import CUSTOMER_TAG
from background_jobs.core.typed_params import Params
from background_jobs.core.typed_results import ResultType
from background_jobs.core.views.found_instances import FoundInstance
from background_jobs.core.views.jobs import JobView, KickOffPreview
from background_jobs.core.views.orchestration import OrchestrationCounts, OrchestrationPage
from background_jobs.jobs import find_definition
from background_jobs.jobs.job_types import CoroutineJob, Job, M, P, R
from background_jobs.orchestration_service.find_instances import find_instances
from background_jobs.orchestration_service.job_results import JobResults
from background_jobs.orchestration_service.jobs import JobList, find_job, list_jobs, preview_kick_off
from background_jobs.orchestration_service.kick_off import (
    KickOffRequest,
    kick_off,
    refuse_service,
    resolve_job,
)
from background_jobs.orchestration_service.orchestration import Orchestration
from background_jobs.orchestration_service.overview import read_counts, read_views
from background_jobs.orchestration_service.pipeline import Pipeline
from background_jobs.orchestration_service.schedule import Schedule
from background_jobs.orchestration_service.schedules import Schedules
from background_jobs.settings import Settings

_CLOCKS_DIFFER_BY: Final = timedelta(hours=1)
"""More than clocks differ: AWS refuses calls of machines whose clock is wrong by a quarter of an hour."""


_ALIKE: Final = 5
"""How many ids that begin alike are named."""


class OrchestrationService:
    """Kicks off jobs and collects their results.

    *settings* come from variables unless given; MissingSettings names all that are absent. *actor* is who
    kicks off, cancels and changes, for the history. *connection* is where AWS is, if that is not where the
    variables of this process say: an offline stack has it, as `LocalStack.service()`.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        actor: str = "",
        connection: Connection | None = None,
    ) -> None:
        self._settings = settings or Settings.from_env()
        self._stores = Stores.of(self._settings, connection)
        if actor:
            self._stores = replace(self._stores, actor=actor)
        self._schedules = Schedules(self._settings, self._stores)

    @overload
    def kick_off_job(
        self, job: str, params: Iterable[Params], **options: Unpack[KickOffKeywords]
    ) -> Orchestration[Any]: ...
    @overload
    def kick_off_job(
        self, job: CoroutineJob[P, R], params: Iterable[P], **options: Unpack[KickOffKeywords]
    ) -> Orchestration[R]: ...
    @overload
    def kick_off_job(
        self, job: Job[P, R], params: Iterable[P], **options: Unpack[KickOffKeywords]
    ) -> Orchestration[R]: ...
    @overload
    def kick_off_job(
        self,
        job: CoroutineJob[M, R],
        params: Iterable[Mapping[str, Any]],
        **options: Unpack[KickOffKeywords],
    ) -> Orchestration[R]: ...
    @overload
    def kick_off_job(
        self, job: Job[M, R], params: Iterable[Mapping[str, Any]], **options: Unpack[KickOffKeywords]
    ) -> Orchestration[R]: ...
    def kick_off_job(
        self,
        job: str | Callable[..., Any],
        params: Iterable[Any],
        **options: Unpack[KickOffKeywords],
    ) -> Orchestration[Any]:
        """Start one job instance for each object in *params*, and return the handle of them all.

        *job* is a job name, or the decorated job itself: its typed params are then validated here, and its
        results are read as the type that it is annotated to return.
        *params* may be any iterable; it is read once, lazily, and nothing is started before its end.
        *parallelism* is how many containers work at once, by default one per instance up to the limit of
        the environment, or up to its default where it has one: the offline stack's is as many as it runs.
        *key* makes the kick-off idempotent: the same key with the same params re-attaches. *tags* (customer
        identifiers, say) travel with every event. *service* runs the job, by default the one in the
        settings. *retry* overrides the job's own. *timeout*, in seconds or as a timedelta, ends the whole
        orchestration: what has no outcome by then is Errored as OrchestrationTimeout. *then* is the stage
        that follows. *notify* names the channels of the environment that hear of the end.
        *parent_id* is the id of an orchestration that this one is noted to follow.

        The calls to AWS are constant in the number of instances: two uploads and one put.

        Raises UnknownJobName, InvalidParams, InvalidKickOff or KickOffConflict, and whatever the iterator
        raises; nothing was started then.
        """
        name, definition = resolve_job(job)
        request = KickOffRequest(
            job_name=name,
            definition=definition,
            options=read_options(KickOffOptions, options, self._settings.max_parallelism),
        )
        result_type = definition.result_type if definition else None
        return self._handle(kick_off(request, params, self._stores, self._settings), name, result_type)

    @overload
    def orchestration(self, orchestration_id: str) -> Orchestration[Any]: ...
    @overload
    def orchestration(self, orchestration_id: str, job: CoroutineJob[P, R]) -> Orchestration[R]: ...
    @overload
    def orchestration(self, orchestration_id: str, job: Job[P, R]) -> Orchestration[R]: ...
    def orchestration(
        self, orchestration_id: str, job: Callable[..., Any] | None = None
    ) -> Orchestration[Any]:
        """Re-attach to an orchestration by its id, from any process.

        With the decorated *job*, results are read as the type that it is annotated to return.

        Raises OrchestrationNotFound, or OtherJob if it is of another job.
        """
        if not ids.is_orchestration_id(orchestration_id):
            raise OrchestrationNotFound(orchestration_id)
        name = self._stores.event_log.read_started(orchestration_id).job_name
        if job is None:
            return self._handle(orchestration_id, name)
        definition = find_definition(job)
        if definition.name != name:
            raise OtherJob(orchestration_id, name, definition.name)
        return self._handle(orchestration_id, name, definition.result_type)

    def find_id(self, text: str) -> str:
        """Return the id that *text* stands for: an id itself, or the first four or more characters of one.

        Abbreviated ids are those of the history, in which an orchestration is a moment after its kick-off.
        Raises OrchestrationNotFound, or AmbiguousId where several begin like that.
        """
        if ids.is_orchestration_id(text):
            return text
        if not ids.is_prefix_of_id(text):
            raise OrchestrationNotFound(text)
        latest = self._stores.clock() + _CLOCKS_DIFFER_BY
        found = list(islice(self._stores.history.ids_beginning_with(text, latest), _ALIKE))
        if len(found) > 1:
            raise AmbiguousId(text, found)
        if not found:
            raise OrchestrationNotFound(text)
        return found[0]

    def pipeline(self, orchestration_id: str) -> Pipeline:
        """Re-attach to the pipeline that an orchestration is a stage of. Raises OrchestrationNotFound."""
        return self.orchestration(orchestration_id).pipeline()

    def jobs(self) -> JobList:
        """Return the jobs that can be kicked off, by name, each with what its image has published of it.

        That is the JSON Schema of its params, a line of documentation, and its defaults. docs/jobs.md says
        how it is published. Offline, the list also has `not_loaded`: why the edited jobs of a service cannot
        be loaded, by the service. Raises JobsNotLoaded where that is so of all of them.
        """
        return list_jobs(JobCatalog(self._stores.payloads), self._settings)

    def job(self, name: str, service: str | None = None) -> JobView:
        """Return one of them; where several services have it, that of *service*, by default of the settings'.

        Raises JobNotFound, InvalidKickOff if there is no such service, or offline JobsNotLoaded.
        """
        if service is not None:
            refuse_service(service, self._settings.service_names)
        jobs = list_jobs(JobCatalog(self._stores.payloads), self._settings, service)
        return find_job(jobs, name, service, self._settings)

    def publish_jobs(self, jobs: Iterable[JobDescription], service: str | None = None) -> None:
        """Replace what the jobs of *service*, by default of the one in the settings, tell of themselves."""
        JobCatalog(self._stores.payloads).publish(service or self._settings.service, jobs)

    def preview_kick_off(
        self,
        job: JobView,
        params: Iterable[Any],
        **options: Unpack[KickOffKeywords],
    ) -> KickOffPreview:
        """Return what a kick-off of *job* with *params* would run, and what is wrong with them.

        Raises what `kick_off_job` raises for the other *options*.
        """
        keywords = {**options, "service": options.get("service") or job.service}
        checked = read_options(KickOffOptions, keywords, self._settings.max_parallelism)
        request = KickOffRequest(job_name=job.name, options=checked)
        request.refuse(self._settings, self._stores.payloads)
        return preview_kick_off(job, params, checked.parallelism, self._settings)

    def history(  # noqa: PLR0913 -- its filters are keywords
        self,
        *,
        job_name: str | None = None,
        status: OrchestrationStatus | None = None,
        customer: str | None = None,
        tags: Mapping[str, str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        services: Collection[str] | None = None,
        limit: int = 100,
        next_token: str | None = None,
    ) -> HistoryPage:
        """Return the latest *limit* orchestrations that fit all of the filters, newest first.

        *customer* is the value of the tag ``customer``, which an index answers; for other *tags*, what fits
        the other filters is read until *limit* have them. *since* and *until* are aware datetimes, both
        included, and bound when they were kicked off. *services* are those of which one is to fit, by default
        all. *next_token* is that of the page before.

        Raises InvalidToken if it is not, or InvalidTimeRange.
        """
        _check_range(since, until)
        # What callers kicked off whose clocks are ahead is in the history as well.
        latest = self._stores.clock() + _CLOCKS_DIFFER_BY
        others = dict(tags or {})
        if customer is None:
            customer = others.pop(CUSTOMER_TAG, None)
        if customer is not None and not is_indexed(customer):
            others[CUSTOMER_TAG], customer = customer, None
        filters = HistoryFilter(
            job_name=job_name,
            status=None if status is None else OrchestrationStatus(status),
            customer=customer,
            since=since,
            until=min(until or latest, latest),
            services=None if services is None else frozenset(services),
            tags=frozenset(others.items()),
        )
        return self._stores.history.page(filters, limit=limit, after=next_token)

    def find_instances(  # noqa: PLR0913 -- its filters are keywords
        self,
        job_name: str,
        params: Mapping[str, Any],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        services: Collection[str] | None = None,
        limit: int = 100,
    ) -> list[FoundInstance]:
        """Return the latest *limit* instances of a job whose params have *params* among them.

        Of an object in *params*, the instances have the fields that it names. *since*, *until* and *services*
        are those of `history`. The params of one orchestration after the other are read, newest first; what
        has expired is not found.

        Raises InvalidTimeRange.
        """
        _check_range(since, until)
        summaries = self._history_of(job_name, since=since, until=until, services=services)
        return find_instances(summaries, params, self._stores, limit)

    def _history_of(self, job_name: str, **filters: Any) -> Iterator[Summary]:  # noqa: ANN401 -- those of `history`
        token: str | None = None
        while True:
            summaries, token = self.history(job_name=job_name, next_token=token, **filters)
            yield from summaries
            if token is None:
                return

    def history_view(self, /, **filters: Any) -> OrchestrationPage:  # noqa: ANN401 -- those of `history`
        """Return a page of the history, as the API and the command line print it; filters as of `history`."""
        summaries, next_token = self.history(**filters)
        views = read_views(summaries, self._stores, datetime.now(UTC))
        return OrchestrationPage(items=views, next_token=next_token)

    def counts(self, services: Collection[str] | None = None) -> OrchestrationCounts:
        """Count the orchestrations that need a look: in progress, standing still, waiting, and errored.

        *services* are those of which they are to be, by default all.
        """
        chosen = None if services is None else frozenset(services)
        return read_counts(chosen, self._stores, datetime.now(UTC))

    def rerun(self, orchestration_id: str, **options: Unpack[RerunKeywords]) -> Orchestration:
        """Run instances of an orchestration again; the options are those of `Orchestration.rerun`."""
        return self.orchestration(orchestration_id).rerun(**options)

    def get_job_results(
        self, orchestration_id: str, *, merged: bool = False, timeout: float | timedelta | None = None
    ) -> JobResults:
        """Wait for every instance's outcome and return them as ``(successes, failures)``.

        *failures* is None when there are none. With *merged*, the answer is one over the orchestration and
        all its reruns, in the order of the first one's params: the latest success of each instance, or else
        its latest failure. *timeout* is in seconds, or a timedelta; None waits for ever.

        Raises OrchestrationNotFound, or TimeoutError.
        """
        return self.orchestration(orchestration_id).results(timeout, merged=merged)

    def _handle(
        self, orchestration_id: str, job_name: str, result_type: ResultType | None = None
    ) -> Orchestration[Any]:
        return Orchestration(orchestration_id, job_name, self._stores, self._settings, result_type)

    def schedule_job(
        self,
        name: str,
        job: str | Callable[..., Any],
        params: Iterable[Params],
        **options: Unpack[ScheduleKeywords],
    ) -> Schedule:
        """Kick off *job* with *params* whenever the schedule *name* is due; the same name again redefines it.

        It is due by *cron* (five fields, or Scheduler's six) in *timezone*, *every* so often from *start* on,
        or once *at* a moment. *overlap* says what becomes of an occurrence while the run before is still in
        progress: "skip" it, "queue" it, or "allow" both. The params are read once, now. A schedule that is
        paused stays so. docs/schedules.md has every option.

        Raises InvalidSchedule, ScheduleDeclared, or what kick_off_job raises; nothing was written then.
        """
        return self._schedules.define(name, job, params, options)

    def schedules(self) -> list[Schedule]:
        """Return all schedules of the environment, by name."""
        return self._schedules.all()

    def schedule(self, name: str) -> Schedule:
        """Re-attach to a schedule by its name, also to one that is over. Raises ScheduleNotFound."""
        return self._schedules.find(name)


def _check_range(since: datetime | None, until: datetime | None) -> None:
    for name, moment in {"since": since, "until": until}.items():
        if moment is not None and moment.utcoffset() is None:
            raise InvalidTimeRange(
                f"{name}={moment.isoformat()} has no time zone; add tzinfo=UTC, for example."
            )
    if since is not None and until is not None and since > until:
        raise InvalidTimeRange(
            f"since={since.isoformat()} is later than until={until.isoformat()}, so nothing lies between."
        )
