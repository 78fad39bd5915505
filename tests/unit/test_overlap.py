"""Overlaps against a model: whatever comes when, the promises of each policy hold."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from background_jobs.core.schedules.definition import Overlap, ScheduleDefinition
from background_jobs.core.schedules.events import OccurrenceQueued, OccurrenceStarted
from background_jobs.core.schedules.overlap import ScheduleBacklog, decide_occurrence, next_run
from background_jobs.core.schedules.timing import Timing

BEGINNING = datetime(2026, 11, 24, tzinfo=UTC)


def definition(overlap: Overlap) -> ScheduleDefinition:
    timing = Timing(cron="* * * * *")
    return ScheduleDefinition(
        name="minutely", job_name="census", service="default", timing=timing, overlap=overlap
    )


class Model:
    """A log and a read model in memory; one decision at a time, as the log's keys enforce."""

    def __init__(self, overlap: Overlap) -> None:
        self.definition = definition(overlap)
        self.runs: list[OccurrenceStarted] = []
        self.in_progress: set[str] = set()
        self.queue: list[OccurrenceQueued] = []

    def backlog(self) -> ScheduleBacklog:
        last_taken = max((run.place for run in self.runs), default=0)
        queue = [queued for queued in self.queue if queued.place > last_taken]
        return ScheduleBacklog(self.runs[::-1], frozenset(self.in_progress), queue)

    def due(self, minute: int) -> None:
        at, backlog = BEGINNING + timedelta(minutes=minute), self.backlog()
        if backlog.find(at):
            return
        event = decide_occurrence(self.definition, at, backlog, self.definition.overlap, at)
        if isinstance(event, OccurrenceStarted):
            self.start(event)
        elif isinstance(event, OccurrenceQueued):
            self.queue.append(event)

    def start(self, run: OccurrenceStarted) -> None:
        assert run.number == len(self.runs) + 1
        self.runs.append(run)
        self.in_progress.add(run.orchestration_id)

    def complete(self) -> None:
        if self.in_progress:
            self.in_progress.remove(min(self.in_progress))
        backlog = self.backlog()
        if not backlog.in_progress and backlog.waiting:
            first = backlog.waiting[0]
            self.start(next_run("minutely", first.scheduled_at, backlog, first.place, first.at))


STEPS = st.lists(st.sampled_from(["due", "due", "again", "complete"]), max_size=60)


def simulate(overlap: Overlap, steps: list[Literal["due", "again", "complete"]]) -> tuple[Model, int, int]:
    model, minute, most = Model(overlap), 0, 0
    for step in steps:
        if step == "due":
            minute += 1
        model.complete() if step == "complete" else model.due(minute)
        most = max(most, len(model.in_progress))
    return model, minute, most


@given(steps=STEPS)
def test_skipping_never_has_two_in_progress(steps: list[Literal["due", "again", "complete"]]) -> None:
    model, _, most = simulate(Overlap.SKIP, steps)
    assert most <= 1
    assert model.queue == []


@given(steps=STEPS)
def test_queueing_runs_everything_once_in_order_and_one_at_a_time(
    steps: list[Literal["due", "again", "complete"]],
) -> None:
    model, minutes, most = simulate(Overlap.QUEUE, ["due", *steps])
    assert most <= 1
    while model.in_progress:
        model.complete()
    ran = [round((run.scheduled_at - BEGINNING) / timedelta(minutes=1)) for run in model.runs]
    assert ran == list(range(1, minutes + 1))


@given(steps=STEPS)
def test_allowing_starts_everything_at_once(steps: list[Literal["due", "again", "complete"]]) -> None:
    model, minutes, _ = simulate(Overlap.ALLOW, ["due", *steps])
    assert len(model.runs) == minutes
