"""Watching without a terminal: a line now and then for logs, or every update as JSON for programs."""

from datetime import UTC, datetime
from typing import Self

from pydantic import BaseModel

from background_jobs.cli import drawing
from background_jobs.cli.failure_reporter import FailureReporter
from background_jobs.cli.reporting import print_json, print_row
from background_jobs.core.progress import ProgressThrottle
from background_jobs.core.views.orchestration import OrchestrationView
from background_jobs.core.views.stream_events import InstanceProgress, TransitionView
from background_jobs.orchestration_service import Orchestration, Update


class UpdateView(BaseModel):
    """One update, as a line of JSON."""

    orchestration: OrchestrationView
    transitions: list[TransitionView]
    progress: list[InstanceProgress]

    @classmethod
    def of(cls, update: Update, now: datetime) -> Self:
        """Return the view of *update* at the moment *now*."""
        orchestration_id = update.summary.orchestration_id
        return cls(
            orchestration=OrchestrationView.of(update.summary, now),
            transitions=[
                TransitionView.of(orchestration_id, transition) for transition in update.transitions
            ],
            progress=[InstanceProgress.of(orchestration_id, advance) for advance in update.advances],
        )


class JsonLines:
    """Prints every update."""

    def show(self, update: Update) -> None:
        """Print *update* as an object on a line of its own."""
        print_json(UpdateView.of(update, datetime.now(UTC)))


class PlainLines:
    """Prints a line for each notable change: about a hundred, however many instances there are."""

    def __init__(self, orchestration: Orchestration) -> None:
        self._failures = FailureReporter(orchestration)
        self._throttle = ProgressThrottle()
        self._marks = (False, False)
        """Whether an instance has begun, and whether the orchestration was cancelled."""
        _print(f"{orchestration.job_name} {orchestration.id}")

    def show(self, update: Update) -> None:
        """Print why instances errored, and the counts of all instances if they have changed enough."""
        for failure in self._failures.select(update):
            _print(f"#{failure.index} errored: {failure.error.type}: {failure.error.message}")
        now = datetime.now(UTC)
        view = OrchestrationView.of(update.summary, now)
        if self._is_notable(view, now):
            counts = ", ".join(part.plain for part in drawing.counts(view))
            _print(f"{drawing.share(view)}: {counts}; {', '.join(drawing.speed(view, now))}")

    def _is_notable(self, view: OrchestrationView, now: datetime) -> bool:
        before = self._marks
        self._marks = (before[0] or bool(view.counts.running), view.cancelled)
        return self._throttle.passes(drawing.percent(view), now.timestamp()) or self._marks != before


def _print(line: str) -> None:
    print_row(datetime.now(UTC), line)
