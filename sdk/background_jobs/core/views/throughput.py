"""How fast an orchestration went: its outcomes, counted over equal spans of time."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from background_jobs.core.fold import FeedItem, Summary
from background_jobs.core.statuses import COMPLETED, ERRORED

SHORTEST_BUCKET: Final = 0.5
"""Seconds. Outcomes are written up to 0.2 seconds late, and together."""
MOST_BUCKETS: Final = 240


class Throughput(BaseModel):
    """How many instances ended in each of some equally long spans; the first begins at *began_at*."""

    model_config = ConfigDict(frozen=True)

    version: int = Field(description="Covers the transitions of this version, and of all before it.")
    began_at: AwareDatetime | None = Field(description="When the first instance began; null while none has.")
    bucket_seconds: float
    completed: list[int] = Field(description="Instances that completed, by bucket.")
    errored: list[int] = Field(description="Instances that errored, by bucket.")


def count_throughput(feed: Iterable[FeedItem], summary: Summary) -> Throughput:
    """Count the outcomes in *feed* up to *summary*, in 240 buckets at most."""
    began_at = summary.first_job_at or summary.started_at
    if began_at is None or summary.last_outcome_at is None:
        return _timeline(summary, SHORTEST_BUCKET, [], [])
    width = _width((summary.last_outcome_at - began_at).total_seconds())
    last = _bucket(began_at, summary.last_outcome_at, width)
    counts = {rank: [0] * (last + 1) for rank in (COMPLETED, ERRORED)}
    for item in feed:
        if item.version <= summary.version:
            for move in item.transitions:
                if move.rank in counts:
                    counts[move.rank][min(last, _bucket(began_at, move.at, width))] += 1
    return _timeline(summary, width, counts[COMPLETED], counts[ERRORED])


def _timeline(summary: Summary, width: float, completed: list[int], errored: list[int]) -> Throughput:
    return Throughput(
        version=summary.version,
        began_at=summary.first_job_at or (summary.started_at if completed else None),
        bucket_seconds=width,
        completed=completed,
        errored=errored,
    )


def _bucket(began_at: datetime, at: datetime, width: float) -> int:
    # Clocks differ between containers, and what was cancelled may never have begun.
    return max(0, int((at - began_at).total_seconds() / width))


def _width(seconds: float) -> float:
    """Return the shortest width, doubled as often as it takes to cover *seconds* with few buckets.

    >>> _width(60), _width(600)
    (0.5, 4.0)
    """
    width = SHORTEST_BUCKET
    while seconds >= width * MOST_BUCKETS:
        width *= 2
    return width
