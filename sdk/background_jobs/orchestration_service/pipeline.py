"""The handle of a pipeline: its stages, one after the other, as one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from background_jobs.aws.stores import Stores
from background_jobs.core import ids
from background_jobs.core.errors import EventConflict, OrchestrationNotFound
from background_jobs.core.events import OrchestrationCancelled
from background_jobs.core.read_model import Summary
from background_jobs.core.statuses import OrchestrationStatus
from background_jobs.core.views.orchestration import Cancellation, OrchestrationView
from background_jobs.core.views.pipeline import PipelineView, StageView
from background_jobs.orchestration_service.deadlines import Deadline
from background_jobs.orchestration_service.job_results import JobResults
from background_jobs.orchestration_service.pipeline_runs import combine_statuses
from background_jobs.orchestration_service.rerun_family import read_family
from background_jobs.orchestration_service.steps import (
    Emit,
    Pause,
    Steps,
    Task,
    call,
    for_each,
    run_steps,
    run_task,
)
from background_jobs.orchestration_service.watching import Update

if TYPE_CHECKING:
    from background_jobs.orchestration_service.orchestration import Orchestration


@dataclass(frozen=True, slots=True)
class PipelineStage:
    """One stage, whether or not it was started."""

    number: int
    """From 1."""
    job_name: str
    orchestration: "Orchestration | None"
    """None while it was not started; where it ran again, the run that the pipeline goes on from."""
    summary: Summary | None
    skipped: str | None = None
    """Why it will not be started; None unless that is so."""

    def view(self, now: datetime) -> StageView:
        """Return the view of the stage at the moment *now*."""
        return StageView(
            number=self.number,
            job_name=self.job_name,
            orchestration=OrchestrationView.of(self.summary, now) if self.summary else None,
            skipped=self.skipped,
        )


@dataclass(frozen=True, slots=True)
class PipelineUpdate:
    """A change in one stage."""

    stage: int
    job_name: str
    orchestration: "Orchestration"
    update: Update


class Pipeline:
    """An orchestration and the stages that follow it; its id is that of its first orchestration."""

    def __init__(
        self, first: "Orchestration", stores: Stores, attach: "Callable[[str, str], Orchestration]"
    ) -> None:
        self.id = first.id
        self._first = first
        self._stores = stores
        self._attach = attach

    def __repr__(self) -> str:
        return f"Pipeline(id={self.id!r})"

    def stages(self) -> list[PipelineStage]:
        """Return every stage, including those that are still to come."""
        stages: list[PipelineStage] = []
        current: Orchestration | None = self._find_current(self._first)
        then, skipped = self._stores.event_log.read_started(self.id).then, None
        job_name = self._first.job_name
        while True:
            summary = current.summary() if current else None
            stages.append(PipelineStage(len(stages) + 1, job_name, current, summary, skipped))
            if then is None:
                return stages
            skipped = summary.next_skipped if summary else skipped
            current = self._find_next(current, then.job_name) if current and not skipped else None
            job_name, then = then.job_name, then.then

    def view(self) -> PipelineView:
        """Return how the pipeline stands now, as the API and the command line print it."""
        stages, now = self.stages(), datetime.now(UTC)
        return PipelineView(
            pipeline_id=self.id,
            status=_combine_statuses(stages),
            stages=[stage.view(now) for stage in stages],
        )

    def status(self) -> OrchestrationStatus:
        """Return one status of all stages, at the end Errored if one errored or was skipped.

        It is Cancelled if a stage was, or was not started because the pipeline was.
        """
        return _combine_statuses(self.stages())

    def done(self) -> bool:
        """Tell whether no stage runs, and none follows."""
        return self.status() is not OrchestrationStatus.IN_PROGRESS

    def wait(self, timeout: float | timedelta | None = None) -> list[PipelineStage]:
        """Wait until no stage runs and none follows, and return the stages.

        Raises TimeoutError after *timeout* (seconds, or a timedelta).
        """
        return run_task(wait_for_pipeline(self, timeout))

    def watch(self, timeout: float | timedelta | None = None) -> Iterator[PipelineUpdate]:
        """Yield the updates of one stage after the other, and end by itself.

        Raises TimeoutError after *timeout* (seconds, or a timedelta).
        """
        return run_steps(watch_pipeline(self, timeout))

    def results(self, timeout: float | timedelta | None = None) -> JobResults:
        """Wait for the end, and return the results of the last stage that was started."""
        return run_task(collect_pipeline_results(self, timeout))

    def cancel(self, reason: str = "") -> Cancellation:
        """Cancel the stage that runs, and keep the one after it from starting."""
        stages = self.stages()
        if _combine_statuses(stages) is not OrchestrationStatus.IN_PROGRESS:
            return Cancellation.ALREADY_DONE
        current = next(stage.orchestration for stage in reversed(stages) if stage.orchestration)
        cancellation = current.cancel(reason)
        started = self._stores.event_log.read_started(current.id)
        if started.then and not stages[-1].orchestration:
            # The stage that runs may complete meanwhile, and the next one start: a stage that finds its
            # cancellation before its own start ends at once.
            event = OrchestrationCancelled(
                orchestration_id=ids.next_stage_id(current.id),
                at=datetime.now(UTC),
                reason=reason,
                by=self._stores.actor,
            )
            service = started.then.service or started.service
            with suppress(EventConflict):
                self._stores.event_log.for_service(service).append(event)
        return Cancellation.REQUESTED if cancellation is Cancellation.ALREADY_DONE else cancellation

    def _find_current(self, orchestration: "Orchestration") -> "Orchestration":
        """Return the latest rerun from which the pipeline goes on, or else the orchestration itself."""
        if not orchestration.summary().next_skipped:
            return orchestration
        members = read_family(orchestration.id, self._stores)
        own = [member for member in members if member.started.then and member.started.pipeline_id == self.id]
        runs = [self._attach(member.id, orchestration.job_name) for member in reversed(own)]
        summaries = [run.summary() for run in runs]
        # The one that went on, or else one that still may.
        went_on = [run for run, summary in zip(runs, summaries, strict=True) if summary.next_stage_expected]
        running = [run for run, summary in zip(runs, summaries, strict=True) if not summary.all_final]
        return [*went_on, *running, *runs][0]

    def _find_next(self, orchestration: "Orchestration", job_name: str) -> "Orchestration | None":
        next_stage = self._attach(ids.next_stage_id(orchestration.id), job_name)
        try:
            return self._find_current(next_stage)
        except OrchestrationNotFound:
            return None


def wait_for_pipeline(pipeline: Pipeline, timeout: float | timedelta | None) -> Task[list[PipelineStage]]:
    """Return the stages of *pipeline* once no stage runs and none follows. Raises TimeoutError."""
    deadline = Deadline.after(timeout, pipeline.id)
    while True:
        stages = yield from call(pipeline.stages)
        if _combine_statuses(stages) is not OrchestrationStatus.IN_PROGRESS:
            return stages
        deadline.check(_find_latest_summary(stages))
        yield Pause(deadline.choose_pause())


def watch_pipeline(pipeline: Pipeline, timeout: float | timedelta | None) -> Steps[PipelineUpdate]:
    """Emit the updates of one stage of *pipeline* after the other, until the end. Raises TimeoutError."""
    deadline, watched = Deadline.after(timeout, pipeline.id), 0
    while True:
        stages = yield from call(pipeline.stages)
        started = [stage for stage in stages[watched:] if stage.orchestration]
        for stage in started:
            yield from _watch_stage(stage, deadline)
        watched += len(started)
        if not started:
            if _combine_statuses(stages) is not OrchestrationStatus.IN_PROGRESS:
                return
            deadline.check(_find_latest_summary(stages))
            yield Pause(deadline.choose_pause())


def collect_pipeline_results(pipeline: Pipeline, timeout: float | timedelta | None) -> Task[JobResults]:
    """Return the results of the last stage that was started, at the end. Raises TimeoutError."""
    stages = yield from wait_for_pipeline(pipeline, timeout)
    latest = [stage.orchestration for stage in stages if stage.orchestration][-1]
    return (yield from latest.steps.results(None, merged=False))


def _watch_stage(stage: PipelineStage, deadline: Deadline) -> Steps[PipelineUpdate]:
    orchestration = stage.orchestration
    if orchestration is None:
        return

    def emit_update(update: Update) -> Steps[PipelineUpdate]:
        yield Emit(PipelineUpdate(stage.number, stage.job_name, orchestration, update))

    yield from for_each(orchestration.steps.watch(deadline.left), emit_update)


def _combine_statuses(stages: Sequence[PipelineStage]) -> OrchestrationStatus:
    return combine_statuses([stage.summary for stage in stages if stage.summary])


def _find_latest_summary(stages: Sequence[PipelineStage]) -> Summary:
    """Return the summary of the last of *stages* that was started."""
    return next(stage.summary for stage in reversed(stages) if stage.summary)
