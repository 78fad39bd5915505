"""The caller's service for asyncio: the same names as in `background_jobs`, to be awaited."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, Literal, TypedDict, TypeVar, Unpack

from pydantic import BaseModel

from background_jobs import orchestration_service as sync
from background_jobs.aws.history import HistoryPage
from background_jobs.core.fold import Summary
from background_jobs.core.options import KickOffKeywords, RerunKeywords
from background_jobs.core.outcomes import Failure, Success
from background_jobs.core.schedules.definition import Overlap
from background_jobs.core.schedules.occurrences import ScheduleRun
from background_jobs.core.schedules.options import ScheduleKeywords
from background_jobs.core.statuses import Status
from background_jobs.core.views.causes import FailureDigest
from background_jobs.core.views.event_history import EventHistory
from background_jobs.core.views.schedule import ScheduleState
from background_jobs.core.views.waits import Wait
from background_jobs.orchestration_service.job_results import JobResults
from background_jobs.orchestration_service.rerun_family import family
from background_jobs.orchestration_service.watching import (
    Deadline,
    first_update,
    streaming_is_installed,
    update_since,
)
from background_jobs.settings import Settings

__all__ = ["Orchestration", "OrchestrationService", "Pipeline", "Schedule"]

_T = TypeVar("_T")
_PAGE: Final = 1_000
Params = Mapping[str, Any] | BaseModel


class HistoryFilters(TypedDict, total=False):
    """The keywords of history; `background_jobs.OrchestrationService` describes them."""

    job_name: str | None
    status: Status | None
    customer: str | None
    since: datetime | None
    until: datetime | None
    limit: int
    next_token: str | None


class OrchestrationService:
    """Kicks off jobs and collects their results, without holding up the event loop.

    *settings* come from the environment unless given; MissingSettings names all that are absent.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._service = sync.OrchestrationService(settings)

    async def kick_off_job(
        self,
        job: str | Callable[..., Any],
        params: Iterable[Params] | AsyncIterable[Params],
        **options: Unpack[KickOffKeywords],
    ) -> "Orchestration":
        """Start one job instance for each object in *params*, which may be an async iterable as well."""
        loop = asyncio.get_running_loop()
        read = _in_thread(params, loop) if isinstance(params, AsyncIterable) else params
        return Orchestration(await asyncio.to_thread(self._service.kick_off_job, job, read, **options))

    async def orchestration(self, orchestration_id: str) -> "Orchestration":
        """Re-attach to an orchestration by its id, from any process. Raises OrchestrationNotFound."""
        return Orchestration(await asyncio.to_thread(self._service.orchestration, orchestration_id))

    async def history(self, **filters: Unpack[HistoryFilters]) -> HistoryPage:
        """Return the latest orchestrations that fit all of the filters, newest first."""
        return await asyncio.to_thread(self._service.history, **filters)

    async def pipeline(self, orchestration_id: str) -> "Pipeline":
        """Re-attach to the pipeline that an orchestration is a stage of. Raises OrchestrationNotFound."""
        return Pipeline(await asyncio.to_thread(self._service.pipeline, orchestration_id))

    async def rerun(self, orchestration_id: str, **options: Unpack[RerunKeywords]) -> "Orchestration":
        """Run instances of an orchestration again."""
        return Orchestration(await asyncio.to_thread(self._service.rerun, orchestration_id, **options))

    async def schedule_job(
        self,
        name: str,
        job: str | Callable[..., Any],
        params: Iterable[Params],
        **options: Unpack[ScheduleKeywords],
    ) -> "Schedule":
        """Kick off *job* with *params* whenever the schedule *name* is due; the same name redefines it."""
        return Schedule(await asyncio.to_thread(self._service.schedule_job, name, job, params, **options))

    async def schedules(self) -> list["Schedule"]:
        """Return all schedules of the environment, by name."""
        return [Schedule(one) for one in await asyncio.to_thread(self._service.schedules)]

    async def schedule(self, name: str) -> "Schedule":
        """Re-attach to a schedule by its name, also to one that is over. Raises ScheduleNotFound."""
        return Schedule(await asyncio.to_thread(self._service.schedule, name))

    async def get_job_results(
        self, orchestration_id: str, *, merged: bool = False, timeout: float | timedelta | None = None
    ) -> JobResults:
        """Wait for every instance's outcome and return them as ``(successes, failures)``."""
        return await (await self.orchestration(orchestration_id)).results(timeout, merged=merged)


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

    async def pause(self) -> None:
        """Make nothing due until `resume`; what waits in the queue still runs."""
        await asyncio.to_thread(self._sync.pause)

    async def resume(self) -> None:
        """Go on after `pause`; what would have been due meanwhile does not run."""
        await asyncio.to_thread(self._sync.resume)

    async def delete(self) -> None:
        """Delete the schedule and empty its queue; what runs goes on, and the history stays."""
        await asyncio.to_thread(self._sync.delete)

    async def run_now(self, *, force: bool = False) -> ScheduleRun:
        """Run the job now, as if it were due; with *force* whatever the overlap."""
        return await asyncio.to_thread(self._sync.run_now, force=force)

    async def next_runs(self, n: int = 5) -> list[datetime]:
        """Return when the schedule is due next, up to *n* times."""
        return await asyncio.to_thread(self._sync.next_runs, n)

    async def runs(self, limit: int = 100) -> list[ScheduleRun]:
        """Return what became of the last *limit* occurrences, newest first."""
        return await asyncio.to_thread(self._sync.runs, limit)

    async def backfill(
        self,
        from_: datetime,
        to: datetime,
        *,
        overlap: Literal["skip", "queue", "allow"] | Overlap | None = None,
    ) -> list[ScheduleRun]:
        """Run what would have been due from *from_* on and before *to*, and did not run."""
        return await asyncio.to_thread(self._sync.backfill, from_, to, overlap=overlap)


class Orchestration:
    """One kick-off of a job; any process can re-attach to it by its id."""

    def __init__(self, orchestration: sync.Orchestration) -> None:
        self.id = orchestration.id
        self.job_name = orchestration.job_name
        self._sync = orchestration

    def __repr__(self) -> str:
        return f"Orchestration(id={self.id!r}, job_name={self.job_name!r})"

    async def summary(self) -> Summary:
        """Return where the orchestration stands, in one small read."""
        return await asyncio.to_thread(self._sync.summary)

    async def done(self) -> bool:
        """Tell whether every instance has its outcome."""
        return (await self.summary()).all_final

    async def wait(self, timeout: float | timedelta | None = None) -> Summary:
        """Wait until every instance has its outcome. Raises TimeoutError after *timeout*."""
        deadline = Deadline.after(timeout, self.id)
        while not (summary := await self.summary()).all_final:
            deadline.check(summary)
            await asyncio.sleep(deadline.pause())
        return summary

    async def results(self, timeout: float | timedelta | None = None, *, merged: bool = False) -> JobResults:
        """Wait, then return ``(successes, failures)``; *failures* is None when there are none."""
        if merged:
            deadline = Deadline.after(timeout, self.id)
            for member in await asyncio.to_thread(family, self.id, self._sync.stores):
                relative = sync.Orchestration(
                    member.id, self.job_name, self._sync.stores, self._sync.settings
                )
                await Orchestration(relative).wait(deadline.left)
            return await asyncio.to_thread(self._sync.results, merged=True)
        await self.wait(timeout)
        return await asyncio.to_thread(self._sync.results)

    async def rerun(self, **options: Unpack[RerunKeywords]) -> "Orchestration":
        """Kick off a new orchestration with the params of the failures, or of all."""
        return Orchestration(await asyncio.to_thread(self._sync.rerun, **options))

    async def digest(self) -> FailureDigest:
        """Return the failures by now, grouped by cause."""
        return await asyncio.to_thread(self._sync.digest)

    async def story(self) -> EventHistory:
        """Return what happened so far: a timeline, the containers, and why instances wait."""
        return await asyncio.to_thread(self._sync.story)

    async def waits(self) -> list[Wait]:
        """Return why instances wait, and since when; nothing where none does."""
        return await asyncio.to_thread(self._sync.waits)

    async def pipeline(self) -> "Pipeline":
        """Return the pipeline that this orchestration is a stage of."""
        return Pipeline(await asyncio.to_thread(self._sync.pipeline))

    async def cancel(self, reason: str = "") -> sync.Cancellation:
        """Ask for the end; the answer says what was found."""
        return await asyncio.to_thread(self._sync.cancel, reason)

    async def watch(self, timeout: float | timedelta | None = None) -> AsyncIterator[sync.Update]:
        """Yield an update now and whenever something changed, and end by itself."""
        deadline = Deadline.after(timeout, self.id)
        if self._sync.settings.api_url and streaming_is_installed():
            from background_jobs.orchestration_service import streaming  # noqa: PLC0415 -- an extra

            url = self._sync.settings.api_url
            async for update in streaming.stream_updates_async(self.id, url, deadline):
                yield update
            return
        update = await asyncio.to_thread(first_update, self.id, self._sync.stores)
        yield update
        while not update.summary.all_final:
            deadline.check(update.summary)
            await asyncio.sleep(deadline.pause())
            if news := await asyncio.to_thread(update_since, update.summary, self._sync.stores):
                update = news
                yield update

    async def as_completed(
        self, timeout: float | timedelta | None = None
    ) -> AsyncIterator[Success | Failure]:
        """Yield each outcome, with its params, as soon as it is there, and end by itself."""
        outcomes = await asyncio.to_thread(self._sync.outcomes)
        try:
            async for update in self.watch(timeout):
                for outcome in await asyncio.to_thread(outcomes.among, update):
                    yield outcome
        finally:
            outcomes.close()

    async def ended(self, status: Status | None = None) -> AsyncIterator[Success | Failure]:
        """Yield the outcomes that there are by now, in the order of the params; perhaps of one status."""
        outcomes = self._sync.ended(status)
        while page := await asyncio.to_thread(lambda: list(islice(outcomes, _PAGE))):
            for outcome in page:
                yield outcome


class Pipeline:
    """An orchestration and the stages that follow it; its id is that of its first orchestration."""

    def __init__(self, pipeline: sync.Pipeline) -> None:
        self.id = pipeline.id
        self._sync = pipeline

    async def stages(self) -> list[sync.PipelineStage]:
        """Return every stage, those that are still to come included."""
        return await asyncio.to_thread(self._sync.stages)

    async def status(self) -> Status:
        """Return the statuses of all stages in one."""
        return await asyncio.to_thread(self._sync.status)

    async def done(self) -> bool:
        """Tell whether nothing runs any more, and nothing follows."""
        return await asyncio.to_thread(self._sync.done)

    async def wait(self, timeout: float | timedelta | None = None) -> list[sync.PipelineStage]:
        """Wait until nothing runs and nothing follows, and return the stages. Raises TimeoutError."""
        deadline = Deadline.after(timeout, self.id)
        while sync.Pipeline.status_of(stages := await self.stages()) is Status.IN_PROGRESS:
            deadline.check(sync.Pipeline.latest(stages))
            await asyncio.sleep(deadline.pause())
        return stages

    async def watch(self, timeout: float | timedelta | None = None) -> AsyncIterator[sync.PipelineUpdate]:
        """Yield the updates of one stage after the other, and end by itself."""
        deadline, watched = Deadline.after(timeout, self.id), 0
        while True:
            stages = await self.stages()
            started = [stage for stage in stages[watched:] if stage.orchestration]
            for stage in started:
                if stage.orchestration:
                    async for update in Orchestration(stage.orchestration).watch(deadline.left):
                        yield sync.PipelineUpdate(stage.number, stage.job_name, stage.orchestration, update)
            watched += len(started)
            if not started:
                if sync.Pipeline.status_of(stages) is not Status.IN_PROGRESS:
                    return
                deadline.check(sync.Pipeline.latest(stages))
                await asyncio.sleep(deadline.pause())

    async def results(self, timeout: float | timedelta | None = None) -> JobResults:
        """Wait for the end, and return the results of the last stage that was started."""
        last = [stage.orchestration for stage in await self.wait(timeout) if stage.orchestration][-1]
        return await Orchestration(last).results()

    async def cancel(self, reason: str = "") -> sync.Cancellation:
        """Cancel the stage that runs, and keep the one after it from starting."""
        return await asyncio.to_thread(self._sync.cancel, reason)


def _in_thread(items: AsyncIterable[_T], loop: asyncio.AbstractEventLoop) -> Iterator[_T]:
    """Yield *items* in another thread than that of *loop*, which reads them."""
    iterator = items.__aiter__()

    async def following() -> _T:
        return await anext(iterator)

    while True:
        try:
            yield asyncio.run_coroutine_threadsafe(following(), loop).result()
        except StopAsyncIteration:
            return
