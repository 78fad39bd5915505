"""Whether an orchestration stands still: since when nothing has moved, and why."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from background_jobs.core.read_model import Summary
from background_jobs.core.wording import count_of

SHORTEST: Final = timedelta(minutes=5)
"""Quiet that is never called a standstill: a container takes half a minute or more to start."""
WITHOUT_OUTCOMES: Final = timedelta(minutes=30)
"""What instances may run in silence while no outcome says how long they take."""
TIMES: Final = 3
"""How many times as long as an instance has taken so far, on average, quiet may last."""


class Standstill(BaseModel):
    """That nothing has moved for longer than is usual."""

    model_config = ConfigDict(frozen=True)

    since: AwareDatetime = Field(
        description="When an instance last began, reported progress, failed or ended; or the kick-off."
    )
    why: str = Field(description="What the instances without an outcome are at.")


def find_standstill(summary: Summary, now: datetime, waits_for: str | None = None) -> Standstill | None:
    """Return since when the orchestration of *summary* stands still at the moment *now*; None if it does not.

    *waits_for* says what keeps shares from being launched, where something does.
    """
    since = summary.moved_at or summary.started_at
    if since is None or summary.total is None or summary.all_final or now - since <= usual_quiet(summary):
        return None
    return Standstill(since=since, why="; ".join(_explain(summary, waits_for)))


def usual_quiet(summary: Summary) -> timedelta:
    """Return how long nothing may move before that is a standstill.

    That is three times what an instance has taken so far: by Little's law, as many mean gaps between
    outcomes as instances run. It is at least five minutes, or thirty where instances run and none has ended.
    """
    ended = summary.completed + summary.errored
    if not ended or summary.first_job_at is None or summary.last_outcome_at is None:
        return WITHOUT_OUTCOMES if summary.running else SHORTEST
    gap = max(timedelta(), summary.last_outcome_at - summary.first_job_at) / ended
    return max(SHORTEST, TIMES * max(1, summary.running) * gap)


def _explain(summary: Summary, waits_for: str | None) -> Iterator[str]:
    running, backing_off = summary.running, summary.backing_off
    waiting = summary.waiting - backing_off
    if running:
        verb = "runs and has" if running == 1 else "run and have"
        yield f"{count_of(running, 'instance')} {verb} reported nothing"
    if backing_off:
        verb = "failed and waits for its" if backing_off == 1 else "failed and wait for their"
        yield f"{count_of(backing_off, 'instance')} {verb} next attempt"
    if waiting:
        verb = "waits" if waiting == 1 else "wait"
        nothing_runs = "" if running or backing_off else " for a container"
        yield f"{count_of(waiting, 'instance')} {verb}{f' ({waits_for})' if waits_for else nothing_runs}"
