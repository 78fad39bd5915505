"""The handle of a pipeline: its stages, one after the other, as one."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from background_jobs.core import ids
from background_jobs.core.errors import EventConflict, OrchestrationNotFound
from background_jobs.core.events import OrchestrationCancelled
from background_jobs.core.fold import Summary
from background_jobs.core.limits import REASON_CHARACTERS
from background_jobs.core.stages import Stage
from background_jobs.core.statuses import Status
from background_jobs.core.views.answers import StageView
from background_jobs.core.views.live import OrchestrationView
from background_jobs.orchestration_service.job_results import JobResults
from background_jobs.orchestration_service.orchestration import Cancellation, Orchestration
from background_jobs.orchestration_service.pipeline_runs import merge_statuses
from background_jobs.orchestration_service.rerun_family import family
from background_jobs.orchestration_service.watching import Deadline, Update


@dataclass(frozen=True, slots=True)
class PipelineStage:
    """One stage, whether or not it was started."""

    number: int
    """From 1."""
    job_name: str
    orchestration: Orchestration | None
    """None while it was not started; where it ran again, the run that the pipeline goes on from."""
    summary: Summary | None
    skipped: str | None = None
    """Why it was not started, and will not be; None unless that is so."""

    def view(self, now: datetime) -> StageView:
        """Return the stage as of *now*, as it travels."""
        return StageView(
            number=self.number,
            job_name=self.job_name,
            orchestration=OrchestrationView.of(self.summary, now) if self.summary else None,
            skipped=self.skipped,
        )


@dataclass(frozen=True, slots=True)
class PipelineUpdate:
    """What changed in one stage."""

    stage: int
    job_name: str
    orchestration: Orchestration
    update: Update


class Pipeline:
    """An orchestration and the stages that follow it; its id is that of its first orchestration."""

    def __init__(self, first: Orchestration) -> None:
        self.id = first.id
        self._first = first

    def __repr__(self) -> str:
        return f"Pipeline(id={self.id!r})"

    def stages(self) -> list[PipelineStage]:
        """Return every stage, those that are still to come included."""
        stages: list[PipelineStage] = []
        here: Orchestration | None = self._current(self._first)
        job_name, then, skipped = self._first.job_name, self._then(self._first), None
        while True:
            summary = here.summary() if here else None
            stages.append(PipelineStage(len(stages) + 1, job_name, here, summary, skipped))
            if then is None:
                return stages
            skipped = summary.next_skipped if summary else skipped
            here = self._after(here, then.job_name) if here and not skipped else None
            job_name, then = then.job_name, then.then

    def status(self) -> Status:
        """Return the statuses of all stages in one: Errored if a stage errored or was skipped, at the end."""
        return self.status_of(self.stages())

    @staticmethod
    def status_of(stages: Sequence[PipelineStage]) -> Status:
        """Return the statuses of *stages*, which are all of a pipeline, in one."""
        return merge_statuses([stage.summary for stage in stages if stage.summary])

    @staticmethod
    def latest(stages: Sequence[PipelineStage]) -> Summary:
        """Return the summary of the last of *stages* that was started."""
        return next(stage.summary for stage in reversed(stages) if stage.summary)

    def done(self) -> bool:
        """Tell whether nothing runs any more, and nothing follows."""
        return self.status() is not Status.IN_PROGRESS

    def wait(self, timeout: float | timedelta | None = None) -> list[PipelineStage]:
        """Wait until nothing runs and nothing follows, and return the stages.

        Raises TimeoutError after *timeout* (seconds, or a timedelta).
        """
        deadline = Deadline.after(timeout, self.id)
        while self.status_of(stages := self.stages()) is Status.IN_PROGRESS:
            deadline.check(self.latest(stages))
            time.sleep(deadline.pause())
        return stages

    def watch(self, timeout: float | timedelta | None = None) -> Iterator[PipelineUpdate]:
        """Yield the updates of one stage after the other, and end by itself.

        Raises TimeoutError after *timeout* (seconds, or a timedelta).
        """
        deadline, watched = Deadline.after(timeout, self.id), 0
        while True:
            stages = self.stages()
            started = [stage for stage in stages[watched:] if stage.orchestration]
            for stage in started:
                yield from self._updates(stage, deadline)
            watched += len(started)
            if not started:
                if self.status_of(stages) is not Status.IN_PROGRESS:
                    return
                deadline.check(self.latest(stages))
                time.sleep(deadline.pause())

    def results(self, timeout: float | timedelta | None = None) -> JobResults:
        """Wait for the end, and return the results of the last stage that was started."""
        last = [stage.orchestration for stage in self.wait(timeout) if stage.orchestration][-1]
        return last.results()

    def cancel(self, reason: str = "") -> Cancellation:
        """Cancel the stage that runs, and keep the one after it from starting."""
        stages = self.stages()
        if self.status_of(stages) is not Status.IN_PROGRESS:
            return Cancellation.ALREADY_DONE
        here = next(stage.orchestration for stage in reversed(stages) if stage.orchestration)
        found = here.cancel(reason)
        if any(stage.orchestration is None for stage in stages):
            # It may complete, and the next one start, while this is under way: a stage that finds its
            # cancellation before its own start ends at once.
            event = OrchestrationCancelled(
                orchestration_id=ids.next_stage_id(here.id),
                at=datetime.now(UTC),
                reason=reason[:REASON_CHARACTERS],
            )
            with suppress(EventConflict):
                here.stores.event_log.append(event)
        return Cancellation.REQUESTED if found is Cancellation.ALREADY_DONE else found

    def _updates(self, stage: PipelineStage, deadline: Deadline) -> Iterator[PipelineUpdate]:
        if stage.orchestration:
            for update in stage.orchestration.watch(deadline.left):
                yield PipelineUpdate(stage.number, stage.job_name, stage.orchestration, update)

    def _then(self, orchestration: Orchestration) -> Stage | None:
        return orchestration.stores.event_log.read_started(orchestration.id).then

    def _current(self, orchestration: Orchestration) -> Orchestration:
        """Return the latest rerun from which the pipeline goes on, or else the orchestration itself."""
        if not orchestration.summary().next_skipped:
            return orchestration
        going_on = [
            member for member in family(orchestration.id, orchestration.stores) if member.started.then
        ]
        return self._handle(going_on[-1].id, orchestration.job_name)

    def _after(self, orchestration: Orchestration, job_name: str) -> Orchestration | None:
        following = self._handle(ids.next_stage_id(orchestration.id), job_name)
        try:
            return self._current(following)
        except OrchestrationNotFound:
            return None

    def _handle(self, orchestration_id: str, job_name: str) -> Orchestration:
        return Orchestration(orchestration_id, job_name, self._first.stores, self._first.settings)
