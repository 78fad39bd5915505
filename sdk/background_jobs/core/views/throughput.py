"""The throughput of an orchestration: its outcomes, counted in buckets of equal time."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from background_jobs.core.read_model import FeedItem, Summary
from background_jobs.core.statuses import COMPLETED, ERRORED

SHORTEST_BUCKET: Final = 0.5
"""Seconds. Outcomes are written up to 0.2 seconds late, and together."""
MOST_BUCKETS: Final = 240


class Throughput(BaseModel):
    """How many instances ended in each bucket of time; the first bucket begins at *began_at*."""

    model_config = ConfigDict(frozen=True)

    version: int = Field(description="Covers the transitions of this version, and of all before it.")
    began_at: AwareDatetime | None = Field(description="When the first instance began; null while none has.")
    bucket_seconds: float
    completed: list[int] = Field(description="Instances that completed, by bucket.")
    errored: list[int] = Field(description="Instances that errored, by bucket.")


def count_throughput(feed: Iterable[FeedItem], summary: Summary) -> Throughput:
    """Count the outcomes in *feed* up to the version of *summary*, in at most 240 buckets."""
    began_at = summary.first_job_at or summary.started_at
    if began_at is None or summary.last_outcome_at is None:
        return _to_throughput(summary, SHORTEST_BUCKET, [], [])
    width = _choose_width((summary.last_outcome_at - began_at).total_seconds())
    last = _find_bucket(began_at, summary.last_outcome_at, width)
    counts = {rank: [0] * (last + 1) for rank in (COMPLETED, ERRORED)}
    for item in feed:
        if item.version <= summary.version:
            for transition in item.transitions:
                if transition.rank in counts:
                    bucket = _find_bucket(began_at, transition.at, width)
                    counts[transition.rank][min(last, bucket)] += 1
    return _to_throughput(summary, width, counts[COMPLETED], counts[ERRORED])


def _to_throughput(summary: Summary, width: float, completed: list[int], errored: list[int]) -> Throughput:
    return Throughput(
        version=summary.version,
        began_at=summary.first_job_at or (summary.started_at if completed else None),
        bucket_seconds=width,
        completed=completed,
        errored=errored,
    )


def _find_bucket(began_at: datetime, at: datetime, width: float) -> int:
    # Clocks differ between containers, and an instance that was cancelled may never have begun.
    return max(0, int((at - began_at).total_seconds() / width))


def _choose_width(seconds: float) -> float:
    """Return the shortest width, doubled until at most 240 buckets cover *seconds*.

    >>> _choose_width(60), _choose_width(600)
    (0.5, 4.0)
    """
    width = SHORTEST_BUCKET
    while seconds >= width * MOST_BUCKETS:
        width *= 2
    return width
