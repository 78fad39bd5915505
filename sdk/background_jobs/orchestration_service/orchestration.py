"""The handle of an orchestration: how it stands, what happened to it, and its results."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Generic, Unpack

from background_jobs.aws.stores import Stores
from background_jobs.core.containers.variables import LOCAL
from background_jobs.core.errors import EventConflict, InvalidComparison, UnreadableEvent
from background_jobs.core.events import CANCELLED, ContainerStarted, JobErrored, OrchestrationCancelled
from background_jobs.core.limits import LOG_PAGE, PAGE
from background_jobs.core.log_lines import LogLine
from background_jobs.core.options import RerunKeywords
from background_jobs.core.outcomes import Failure, R_co, Success, as_type
from background_jobs.core.read_model import Summary
from background_jobs.core.statuses import OrchestrationStatus, Status
from background_jobs.core.typed_results import ResultType
from background_jobs.core.views.causes import CausePage, FailureDigest
from background_jobs.core.views.comparison import Comparison, compare
from background_jobs.core.views.containers import ContainerPage, ContainerState
from background_jobs.core.views.cost import Cost
from background_jobs.core.views.event_history import EventHistory
from background_jobs.core.views.instances import InstanceDetail, InstancePage
from background_jobs.core.views.logs import LogPage
from background_jobs.core.views.notebook import orchestration_html
from background_jobs.core.views.orchestration import Cancellation, OrchestrationView
from background_jobs.core.views.orchestration_detail import OrchestrationDetail
from background_jobs.core.views.outcomes import FailurePage, SuccessPage
from background_jobs.core.views.rerun_preview import RerunPreview
from background_jobs.core.views.throughput import Throughput
from background_jobs.core.views.waits import Wait
from background_jobs.orchestration_service import (
    container_logs,
    containers,
    event_history,
    instances,
    outcomes,
)
from background_jobs.orchestration_service.causes import read_cause_page
from background_jobs.orchestration_service.comparison import match
from background_jobs.orchestration_service.container_logs import LogFilter
from background_jobs.orchestration_service.job_results import JobResults
from background_jobs.orchestration_service.orchestration_steps import OrchestrationSteps
from background_jobs.orchestration_service.overview import read_views
from background_jobs.orchestration_service.pipeline import Pipeline
from background_jobs.orchestration_service.progress_bar import ProgressBar
from background_jobs.orchestration_service.report import read_report
from background_jobs.orchestration_service.rerun import preview_rerun, rerun
from background_jobs.orchestration_service.steps import run_steps, run_task
from background_jobs.orchestration_service.watching import Update, current_summary
from background_jobs.settings import Settings


class Orchestration(Generic[R_co]):
    """One kick-off of a job; any process can re-attach to it by its id.

    A handle that was made with the job itself, not its name, reads results as the type that the job returns.
    """

    def __init__(
        self,
        orchestration_id: str,
        job_name: str,
        stores: Stores,
        settings: Settings,
        result_type: ResultType | None = None,
    ) -> None:
        self.id = orchestration_id
        self.job_name = job_name
        self._stores = stores
        self._settings = settings
        self._result_type = result_type

    def __repr__(self) -> str:
        return f"Orchestration(id={self.id!r}, job_name={self.job_name!r})"

    def _repr_html_(self) -> str | None:
        try:
            return orchestration_html(self.view(), self._settings.console)
        except Exception:  # noqa: BLE001 -- a notebook then shows the repr, which needs no answer of AWS
            return None

    @property
    def steps(self) -> OrchestrationSteps[R_co]:
        """Return the loops of the methods that wait, for drivers such as that of `background_jobs.aio`."""
        return OrchestrationSteps(
            self.id, self._stores, self._settings.api_url, self._attach, self._result_type
        )

    def summary(self) -> Summary:
        """Return how the orchestration stands, in one small read."""
        return current_summary(self.id, self._stores)

    def view(self) -> OrchestrationView:
        """Return how the orchestration stands now, as the API and the command line print it."""
        (view,) = read_views([self.summary()], self._stores, datetime.now(UTC))
        return view

    def detail(self) -> OrchestrationDetail:
        """Return how it stands, its event history, its pipeline's stages, and an estimate of its cost."""
        return OrchestrationDetail(
            orchestration=self.view(),
            event_history=self.event_history(),
            stages=self.pipeline().view().stages,
            cost=self.cost(),
        )

    def status(self) -> OrchestrationStatus:
        """Return one status for all instances: InProgress until it has completed."""
        return self.summary().status

    def done(self) -> bool:
        """Tell whether every instance has its outcome."""
        return self.summary().all_final

    def wait(self, timeout: float | timedelta | None = None) -> Summary:
        """Wait until every instance has its outcome. Raises TimeoutError after *timeout* (seconds)."""
        return run_task(self.steps.wait(timeout))

    def progress(self, timeout: float | timedelta | None = None) -> Summary:
        """Show a progress bar until every instance has its outcome, in a notebook or on a terminal.

        Raises LibraryNotInstalled without tqdm (the extra ``notebook``), or TimeoutError after *timeout*.
        """
        summary = self.summary()
        with ProgressBar(summary) as bar:
            for update in self.watch(timeout):
                summary = update.summary
                bar.show(summary)
        return summary

    def results(self, timeout: float | timedelta | None = None, *, merged: bool = False) -> JobResults[R_co]:
        """Wait, then return ``(successes, failures)``; *failures* is None when there are none.

        With *merged*, the results are those of this orchestration and all its reruns together. Raises
        TimeoutError after *timeout* (seconds, or a timedelta), or PayloadNotFound once params or results have
        expired.
        """
        return run_task(self.steps.results(timeout, merged=merged))

    def rerun(self, **options: Unpack[RerunKeywords]) -> "Orchestration[R_co]":
        """Kick off a new orchestration that runs instances of this one again; by default its failures.

        *only* names them by their status ("failed", "completed" or "all"; "unrepaired" are those that failed
        and have completed in no rerun), *cause* by the id of a cause, and *indices* by themselves: as text
        ("0-99,250"), as one number or as an iterable. Where several of these are given, what fits all of them
        runs again. *params* are those of a single instance instead of what
        it had; *params_patch*, a JSON merge patch, changes those of each, and None in it removes a param.

        The job is looked up anew, so it may be new code. *parallelism*, *retry*, *timeout*, *tags*
        and *notify* are those of this orchestration unless given; *key* makes the rerun idempotent.
        Where a pipeline stopped here, it goes on after the rerun, with the results of both. Where it went on
        without what failed, *next_stages* runs that again which has not gone on, and the next stages for what
        of it completes, as a pipeline of its own whose first stage is the rerun.

        Raises InvalidKickOff while it still runs or where nothing is to run again, CauseNotFound,
        InvalidParams, or PayloadNotFound once the params have expired.
        """
        return self._attach(rerun(self.id, self._stores, self._settings, **options))

    def preview_rerun(self, **options: Unpack[RerunKeywords]) -> RerunPreview:
        """Return what `rerun` would run with the same options, with the params of the first instances.

        Raises what `rerun` raises.
        """
        return preview_rerun(self.id, self._stores, self._settings, **options)

    def instances(
        self,
        status: Status | None = None,
        *,
        cause: str | None = None,
        limit: int = PAGE,
        next_token: str | None = None,
    ) -> InstancePage:
        """Return a page of at most *limit* instances, all or those of one status or cause.

        *next_token* is that of the page before. Raises InvalidToken or CauseNotFound.
        """
        return instances.read_instance_page(self.id, status, limit, next_token, self._stores, cause=cause)

    def instance(self, index: int) -> InstanceDetail:
        """Return one instance with its params, its outcome and its event history.

        Raises InstanceNotFound, or PayloadNotFound once the params or the result have expired.
        """
        return instances.read_instance(self.id, index, self._stores)

    def successes(self, *, limit: int = PAGE, next_token: str | None = None) -> SuccessPage:
        """Return a page of at most *limit* of the successes by now; *next_token* is that of the page before.

        Raises InvalidToken, or PayloadNotFound once params or results have expired.
        """
        return outcomes.read_success_page(self.id, limit, next_token, self._stores)

    def failures(
        self, *, cause: str | None = None, limit: int = PAGE, next_token: str | None = None
    ) -> FailurePage:
        """Return a page of at most *limit* of the failures by now, all or those of one cause.

        *next_token* is that of the page before. Raises InvalidToken, CauseNotFound, or PayloadNotFound once
        the params have expired.
        """
        return outcomes.read_failure_page(self.id, limit, next_token, self._stores, cause=cause)

    def causes(self, *, limit: int = PAGE, next_token: str | None = None) -> CausePage:
        """Return a page of at most *limit* causes of the failures by now, the most frequent first.

        Each has an id, the params that its failures share, and how many of them a rerun has repaired.
        *next_token* is that of the page before. Raises InvalidToken, or PayloadNotFound once the params have
        expired.
        """
        return read_cause_page(self.id, limit, next_token, self._stores)

    def digest(self) -> FailureDigest:
        """Return the failures by now in a sentence and the first page of their causes.

        Raises PayloadNotFound once the params have expired.
        """
        return FailureDigest.of(self.causes())

    def event_history(self) -> EventHistory:
        """Return what happened so far: a timeline, the containers, and why instances wait."""
        return event_history.read_event_history(self.id, self._stores)

    def launches(self) -> list[ContainerStarted]:
        """Return the launches of all containers, by share and launch, each with the place of its log."""
        return self._stores.event_log.read_launches(self.id)

    def containers(
        self, state: ContainerState | None = None, *, limit: int = PAGE, next_token: str | None = None
    ) -> ContainerPage:
        """Return a page of at most *limit* launches, all or those in *state*, beside the counts of all.

        *next_token* is that of the page before. Raises InvalidToken.
        """
        return containers.read_container_page(self.id, state, limit, next_token, self._stores)

    def cost(self) -> Cost:
        """Return an estimate, at list prices, of what it has cost so far; offline, what it would on AWS."""
        is_offline = self._settings.environment == LOCAL
        return containers.read_cost(self.id, self._stores, is_offline=is_offline)

    def compare(self, other_id: str | None = None) -> Comparison:
        """Compare it with an earlier orchestration: by default the one that it runs again.

        An instance of a rerun is compared with the one that it runs again, others with that of the same
        index. Raises InvalidComparison where it is no rerun and no other is given, or OrchestrationNotFound,
        or PayloadNotFound once the params have expired.
        """
        after = self.view()
        original = after.parent_id if after.rerun_only else None
        if (earlier := other_id or original) is None:
            raise InvalidComparison(self.id)
        matched = match(earlier, self.id, self._stores)
        compared = compare(self._attach(earlier).view(), after, *matched.digests(), now=datetime.now(UTC))
        return compared.with_instances(matched.changes())

    def report(self) -> str:
        """Return all of it as one HTML file that needs no server, and runs no script."""
        return read_report(self, self._stores)

    def throughput(self) -> Throughput:
        """Return the outcomes so far, counted in buckets of time."""
        return event_history.read_throughput(self.id, self._stores)

    def waits(self) -> list[Wait]:
        """Return why instances wait, and since when; an empty list where none does."""
        return event_history.read_waits(self.id, self._stores)

    def log_lines(
        self,
        index: int | None = None,
        *,
        follow: bool = False,
        since: datetime | None = None,
        everything: bool = False,
    ) -> Iterator[LogLine]:
        """Yield what the containers wrote, by time: all of them, or those of the instance at *index*.

        With *follow* it goes on until the end of the orchestration, or of the instance. *since* leaves out
        what was written before, and *everything* has the SDK's own lines among the others. Few lines are in
        memory at a time. Raises LogNotFound, at the end where some of the logs could be read.
        """
        return run_steps(self.steps.log_lines(LogFilter(index, since, everything), follow=follow))

    def log_page(
        self,
        index: int | None = None,
        *,
        next_token: str = "",
        limit: int = LOG_PAGE,
        since: datetime | None = None,
        everything: bool = False,
    ) -> LogPage:
        """Return the last lines of the same, or with the *next_token* of a page what was written after it.

        Raises InstanceNotFound, InvalidToken.
        """
        wanted = LogFilter(index, since, everything)
        return container_logs.read_log_page(self.id, wanted, self._stores, next_token=next_token, limit=limit)

    def cloudwatch_url(self, index: int | None = None) -> str:
        """Return the address of the same lines in CloudWatch Logs Insights; empty where logs are files."""
        return container_logs.find_cloudwatch_url(self.id, index, self._stores)

    def pipeline(self) -> Pipeline:
        """Return the pipeline that this orchestration is a stage of; one without stages is its own."""
        log = self._stores.event_log
        pipeline_id = log.read_started(self.id).pipeline_id
        if pipeline_id in (None, self.id):
            return Pipeline(self, self._stores, self._attach)
        first = self._attach(pipeline_id, log.read_started(pipeline_id).job_name)
        return Pipeline(first, self._stores, self._attach)

    def cancel(self, reason: str = "") -> Cancellation:
        """Ask for the end: what has no outcome yet is Errored as Cancelled, and its containers are stopped.

        Jobs that look at `JobContext.cancelled` may end well first. Cancelling twice, or after the end, is
        harmless; the answer says what was found. Raises UnreadableEvent where what lies in the place of a
        cancellation is none.
        """
        if self.done():
            return Cancellation.ALREADY_DONE
        stores = self._stores
        event = OrchestrationCancelled(
            orchestration_id=self.id, at=stores.clock(), reason=reason, by=stores.actor
        )
        try:
            self._stores.event_log.append(event)
        except EventConflict:
            if self._stores.event_log.read_cancelled(self.id) is None:
                raise UnreadableEvent(self.id, CANCELLED) from None
            return Cancellation.ALREADY_CANCELLED
        return Cancellation.REQUESTED

    def watch(self, timeout: float | timedelta | None = None) -> Iterator[Update]:
        """Yield an update now and whenever something changed, and end by itself.

        The updates are the server-sent events of the progress API if its address is set; if it is not, the
        read model is read now and then. Raises TimeoutError after *timeout* (seconds, or a timedelta).
        """
        return run_steps(self.steps.watch(timeout))

    def as_completed(self, timeout: float | timedelta | None = None) -> Iterator[Success[R_co] | Failure]:
        """Yield each outcome, with its params, as soon as it is there, and end by itself.

        Raises TimeoutError after *timeout* (seconds, or a timedelta).
        """
        return run_steps(self.steps.as_completed(timeout))

    def outcomes(
        self, status: Status | None = None, *, on_gone: Callable[[int], None] | None = None
    ) -> Iterator[Success[R_co] | Failure]:
        """Yield the outcomes that there are by now, in the order of the params: all, or those of one status.

        It does not wait, and keeps a thousand of them in memory at most. Where a result has expired,
        *on_gone* is called with the index of its instance, and the next one follows; without it,
        PayloadNotFound is raised.
        """
        return as_type(
            outcomes.read_outcomes_by_status(self.id, status, self._stores, on_gone), self._result_type
        )

    def errors(self, indices: Sequence[int] | None = None) -> Iterator[JobErrored]:
        """Yield why instances gave up, as far as they have by now, in their order; params are not read.

        *indices* (ascending) selects instances; by default it is all that errored.
        """
        return outcomes.read_errors(self.id, indices, self._stores)

    def _attach(self, orchestration_id: str, job_name: str | None = None) -> "Orchestration[R_co]":
        """Return the handle of another orchestration of this job, or of one of the job *job_name*."""
        name = job_name or self.job_name
        result_type = self._result_type if name == self.job_name else None
        return Orchestration(orchestration_id, name, self._stores, self._settings, result_type)
