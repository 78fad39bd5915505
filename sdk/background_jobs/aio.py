"""The caller's service for asyncio: the same names as in `background_jobs`, to be awaited."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Generic, NamedTuple, Self, Unpack, overload

from background_jobs import orchestration_service as sync
from background_jobs.core.events import JobErrored
from background_jobs.core.log_lines import LogLine
from background_jobs.core.options import KickOffKeywords, RerunKeywords
from background_jobs.core.outcomes import Failure, R_co, Success
from background_jobs.core.read_model import Summary
from background_jobs.core.statuses import Status
from background_jobs.core.typed_params import Params
from background_jobs.core.views.schedule import ScheduleState
from background_jobs.jobs.job_types import CoroutineJob, Job, M, P, R
from background_jobs.orchestration_service import exports
from background_jobs.orchestration_service import pipeline as pipeline_steps
from background_jobs.orchestration_service.container_logs import LogFilter
from background_jobs.orchestration_service.job_results import (
    FailureList,
    Successes,
    describe_results,
    in_order,
    raise_failures,
    results_html,
)
from background_jobs.orchestration_service.progress_bar import ProgressBar
from background_jobs.orchestration_service.steps import run_steps_async, run_task_async
from background_jobs.orchestration_service.threads import attach_in_thread, in_thread, iterate_in_thread
from background_jobs.settings import Settings

__all__ = ["Failures", "JobResults", "Orchestration", "OrchestrationService", "Pipeline", "Schedule"]


class Schedule:
    """A schedule of the environment; any process can re-attach to it by its name."""

    def __init__(self, schedule: sync.Schedule) -> None:
        self.name = schedule.name
        self.definition = schedule.definition
        self._sync = schedule

    def __repr__(self) -> str:
        return repr(self._sync)

    @property
    def state(self) -> ScheduleState:
        """Return whether it is due some time, as of when the handle was made, or last changed through it."""
        return self._sync.state

    pause = in_thread(sync.Schedule.pause)
    resume = in_thread(sync.Schedule.resume)
    delete = in_thread(sync.Schedule.delete)
    run_now = in_thread(sync.Schedule.run_now)
    next_runs = in_thread(sync.Schedule.next_runs)
    runs = in_thread(sync.Schedule.runs)
    backfill = in_thread(sync.Schedule.backfill)
    preview_backfill = in_thread(sync.Schedule.preview_backfill)
    occurrences = in_thread(sync.Schedule.occurrences)
    view = in_thread(sync.Schedule.view)


class Pipeline:
    """An orchestration and the stages that follow it; its id is that of its first orchestration."""

    def __init__(self, pipeline: sync.Pipeline) -> None:
        self.id = pipeline.id
        self._sync = pipeline

    def __repr__(self) -> str:
        return repr(self._sync)

    stages = in_thread(sync.Pipeline.stages)
    view = in_thread(sync.Pipeline.view)
    status = in_thread(sync.Pipeline.status)
    done = in_thread(sync.Pipeline.done)
    cancel = in_thread(sync.Pipeline.cancel)

    async def wait(self, timeout: float | timedelta | None = None) -> list[sync.PipelineStage]:
        """Wait until no stage runs and none follows, and return the stages. Raises TimeoutError."""
        return await run_task_async(pipeline_steps.wait_for_pipeline(self._sync, timeout))

    def watch(self, timeout: float | timedelta | None = None) -> AsyncIterator[sync.PipelineUpdate]:
        """Yield the updates of one stage after the other, and end by itself."""
        return run_steps_async(pipeline_steps.watch_pipeline(self._sync, timeout))

    async def results(self, timeout: float | timedelta | None = None) -> "JobResults":
        """Wait for the end, and return the results of the last stage that was started."""
        return JobResults.of(
            await run_task_async(pipeline_steps.collect_pipeline_results(self._sync, timeout))
        )


class Failures(FailureList, Generic[R_co]):
    """The failures of an orchestration, in the order of the params."""

    def __init__(self, failures: sync.Failures[R_co]) -> None:
        super().__init__(failures)
        self._sync = failures

    digest = in_thread(sync.Failures.digest)

    async def rerun(self, **options: Unpack[RerunKeywords]) -> "Orchestration[R_co]":
        """Run them again in a new orchestration; the options are those of `Orchestration.rerun`."""
        return Orchestration(await asyncio.to_thread(self._sync.rerun, **options))


class JobResults(NamedTuple, Generic[R_co]):
    """All outcomes of an orchestration, each part in the order of the params."""

    successes: Successes[R_co]
    failures: Failures[R_co] | None
    """None when there are none."""

    @classmethod
    def of(cls, results: sync.JobResults[R_co]) -> Self:
        """Return *results* with failures whose methods are to be awaited."""
        successes, failures = results
        return cls(successes, None if failures is None else Failures(failures))

    def __repr__(self) -> str:
        return describe_results(self.successes, self.failures)

    def _repr_html_(self) -> str:
        return results_html(self.successes, self.failures)

    def raise_on_failure(self) -> Self:
        """Return these results, or raise an ExceptionGroup of one JobFailed per failure."""
        raise_failures(self.successes, self.failures)
        return self

    async def to_pandas(self) -> Any:  # noqa: ANN401 -- pandas may be absent
        """Return all outcomes as a DataFrame. Raises LibraryNotInstalled."""
        return await asyncio.to_thread(exports.to_pandas, in_order(self.successes, self.failures))

    async def to_jsonl(self, path: str | Path) -> None:
        """Write all outcomes to a file, a line of JSON an instance."""
        await asyncio.to_thread(exports.write_jsonl, in_order(self.successes, self.failures), path)

    async def to_parquet(self, path: str | Path) -> None:
        """Write the table of `to_pandas` to a file of Parquet. Raises LibraryNotInstalled."""
        await asyncio.to_thread(exports.write_parquet, in_order(self.successes, self.failures), path)


class Orchestration(Generic[R_co]):
    """One kick-off of a job; any process can re-attach to it by its id."""

    def __init__(self, orchestration: sync.Orchestration[R_co]) -> None:
        self.id = orchestration.id
        self.job_name = orchestration.job_name
        self._sync = orchestration

    def __repr__(self) -> str:
        return repr(self._sync)

    summary = in_thread(sync.Orchestration.summary)
    view = in_thread(sync.Orchestration.view)
    detail = in_thread(sync.Orchestration.detail)
    status = in_thread(sync.Orchestration.status)
    done = in_thread(sync.Orchestration.done)
    instances = in_thread(sync.Orchestration.instances)
    instance = in_thread(sync.Orchestration.instance)
    successes = in_thread(sync.Orchestration.successes)
    failures = in_thread(sync.Orchestration.failures)
    causes = in_thread(sync.Orchestration.causes)
    digest = in_thread(sync.Orchestration.digest)
    preview_rerun = in_thread(sync.Orchestration.preview_rerun)
    event_history = in_thread(sync.Orchestration.event_history)
    launches = in_thread(sync.Orchestration.launches)
    log_page = in_thread(sync.Orchestration.log_page)
    cloudwatch_url = in_thread(sync.Orchestration.cloudwatch_url)
    throughput = in_thread(sync.Orchestration.throughput)
    containers = in_thread(sync.Orchestration.containers)
    cost = in_thread(sync.Orchestration.cost)
    compare = in_thread(sync.Orchestration.compare)
    report = in_thread(sync.Orchestration.report)
    waits = in_thread(sync.Orchestration.waits)
    cancel = in_thread(sync.Orchestration.cancel)
    pipeline = attach_in_thread(sync.Orchestration.pipeline, Pipeline)

    async def wait(self, timeout: float | timedelta | None = None) -> Summary:
        """Wait until every instance has its outcome. Raises TimeoutError after *timeout*."""
        return await run_task_async(self._sync.steps.wait(timeout))

    async def results(
        self, timeout: float | timedelta | None = None, *, merged: bool = False
    ) -> JobResults[R_co]:
        """Wait, then return ``(successes, failures)``; *failures* is None when there are none."""
        return JobResults.of(await run_task_async(self._sync.steps.results(timeout, merged=merged)))

    async def progress(self, timeout: float | timedelta | None = None) -> Summary:
        """Show a progress bar until every instance has its outcome, in a notebook or on a terminal."""
        summary = await self.summary()
        with ProgressBar(summary) as bar:
            async for update in self.watch(timeout):
                summary = update.summary
                bar.show(summary)
        return summary

    async def rerun(self, **options: Unpack[RerunKeywords]) -> "Orchestration[R_co]":
        """Kick off a new orchestration that runs instances again; by default the failures."""
        return Orchestration(await asyncio.to_thread(self._sync.rerun, **options))

    def watch(self, timeout: float | timedelta | None = None) -> AsyncIterator[sync.Update]:
        """Yield an update now and whenever something changed, and end by itself."""
        return run_steps_async(self._sync.steps.watch(timeout))

    def as_completed(
        self, timeout: float | timedelta | None = None
    ) -> AsyncIterator[Success[R_co] | Failure]:
        """Yield each outcome, with its params, as soon as it is there, and end by itself."""
        return run_steps_async(self._sync.steps.as_completed(timeout))

    def outcomes(
        self, status: Status | None = None, *, on_gone: Callable[[int], None] | None = None
    ) -> AsyncIterator[Success[R_co] | Failure]:
        """Yield the outcomes that there are by now, in the order of the params; perhaps of one status.

        *on_gone* is called with the index of each instance whose result has expired.
        """
        return run_steps_async(self._sync.steps.outcomes(status, on_gone))

    def errors(self, indices: Sequence[int] | None = None) -> AsyncIterator[JobErrored]:
        """Yield why instances gave up, as far as they have by now, in their order; params are not read."""
        return run_steps_async(self._sync.steps.errors(indices))

    def log_lines(
        self,
        index: int | None = None,
        *,
        follow: bool = False,
        since: datetime | None = None,
        everything: bool = False,
    ) -> AsyncIterator[LogLine]:
        """Yield what the containers wrote, by time: all of them, or those of one instance."""
        wanted = LogFilter(index, since, everything)
        return run_steps_async(self._sync.steps.log_lines(wanted, follow=follow))


class OrchestrationService:
    """Kicks off jobs and collects their results, without holding up the event loop.

    *settings* come from variables unless given; MissingSettings names all that are absent.
    """

    def __init__(self, settings: Settings | None = None, *, actor: str = "") -> None:
        self._sync = sync.OrchestrationService(settings, actor=actor)

    @overload
    async def kick_off_job(
        self,
        job: str,
        params: Iterable[Params] | AsyncIterable[Params],
        **options: Unpack[KickOffKeywords],
    ) -> Orchestration[Any]: ...
    @overload
    async def kick_off_job(
        self,
        job: CoroutineJob[P, R],
        params: Iterable[P] | AsyncIterable[P],
        **options: Unpack[KickOffKeywords],
    ) -> Orchestration[R]: ...
    @overload
    async def kick_off_job(
        self, job: Job[P, R], params: Iterable[P] | AsyncIterable[P], **options: Unpack[KickOffKeywords]
    ) -> Orchestration[R]: ...
    @overload
    async def kick_off_job(
        self,
        job: CoroutineJob[M, R],
        params: Iterable[Mapping[str, Any]] | AsyncIterable[Mapping[str, Any]],
        **options: Unpack[KickOffKeywords],
    ) -> Orchestration[R]: ...
    @overload
    async def kick_off_job(
        self,
        job: Job[M, R],
        params: Iterable[Mapping[str, Any]] | AsyncIterable[Mapping[str, Any]],
        **options: Unpack[KickOffKeywords],
    ) -> Orchestration[R]: ...
    async def kick_off_job(
        self,
        job: Any,
        params: Iterable[Any] | AsyncIterable[Any],
        **options: Unpack[KickOffKeywords],
    ) -> Orchestration[Any]:
        """Start one job instance for each object in *params*, which may be an async iterable as well."""
        loop = asyncio.get_running_loop()
        items = iterate_in_thread(params, loop) if isinstance(params, AsyncIterable) else params
        return Orchestration(await asyncio.to_thread(partial(self._sync.kick_off_job, job, items, **options)))

    find_id = in_thread(sync.OrchestrationService.find_id)
    jobs = in_thread(sync.OrchestrationService.jobs)
    job = in_thread(sync.OrchestrationService.job)
    publish_jobs = in_thread(sync.OrchestrationService.publish_jobs)
    preview_kick_off = in_thread(sync.OrchestrationService.preview_kick_off)
    history = in_thread(sync.OrchestrationService.history)
    find_instances = in_thread(sync.OrchestrationService.find_instances)
    history_view = in_thread(sync.OrchestrationService.history_view)
    counts = in_thread(sync.OrchestrationService.counts)
    pipeline = attach_in_thread(sync.OrchestrationService.pipeline, Pipeline)
    rerun = attach_in_thread(sync.OrchestrationService.rerun, Orchestration)
    schedule = attach_in_thread(sync.OrchestrationService.schedule, Schedule)
    schedule_job = attach_in_thread(sync.OrchestrationService.schedule_job, Schedule)

    @overload
    async def orchestration(self, orchestration_id: str) -> Orchestration[Any]: ...
    @overload
    async def orchestration(self, orchestration_id: str, job: CoroutineJob[P, R]) -> Orchestration[R]: ...
    @overload
    async def orchestration(self, orchestration_id: str, job: Job[P, R]) -> Orchestration[R]: ...
    async def orchestration(self, orchestration_id: str, job: Any = None) -> Orchestration[Any]:
        """Re-attach to an orchestration by its id; with *job*, results are of the type that it returns."""
        attached = await asyncio.to_thread(self._sync.orchestration, orchestration_id, job)
        return Orchestration(attached)

    async def schedules(self) -> list[Schedule]:
        """Return all schedules of the environment, by name."""
        return [Schedule(schedule) for schedule in await asyncio.to_thread(self._sync.schedules)]

    async def get_job_results(
        self, orchestration_id: str, *, merged: bool = False, timeout: float | timedelta | None = None
    ) -> JobResults:
        """Wait for every instance's outcome and return them as ``(successes, failures)``."""
        return await (await self.orchestration(orchestration_id)).results(timeout, merged=merged)
