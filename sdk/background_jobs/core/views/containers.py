"""The containers of an orchestration over time: each launch, how it ended, and how many ran at once."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from background_jobs.core.containers.delays import DelayReason
from background_jobs.core.containers.statuses import OUT_OF_MEMORY
from background_jobs.core.events import ContainerEnded, ContainerStarted, ShareDelayed
from background_jobs.core.limits import STOP_SECONDS
from background_jobs.core.views.page import Page, position_of, token_of
from background_jobs.core.views.waits import Containers

BUCKETS: Final = 240
"""Into how many equal parts of time the count of containers is cut, at most."""
_COPIED: Final = ("share", "launch", "first", "last", "warm", "cpu", "memory_mib", "capacity_provider", "log")
_LOSSES: Final = frozenset({DelayReason.LOST, DelayReason.MEMORY})
"""What is no reason of a late launch, but of the end of the launch before."""
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_ENDING: Final = timedelta(seconds=STOP_SECONDS)
"""How long after the end of an orchestration a container may still say that it ends."""


class ContainerState(StrEnum):
    """How a launch of a container stands."""

    RUNNING = "running"
    ENDED = "ended"
    """Every instance of its share has its outcome."""
    FAILED = "failed"
    """It ended with another exit status than 0, and left instances without an outcome."""
    LOST = "lost"
    """It ended without saying so, alone or with its host."""


class ContainerView(BaseModel):
    """One launch of a container for a share."""

    model_config = ConfigDict(frozen=True)

    share: int
    launch: int = Field(
        description="Counts from 0; one above 0 goes on where a process ended, or its container."
    )
    first: int = Field(description="The first instance of the share.")
    last: int
    state: ContainerState
    status: int | None = Field(description="Its exit status; null while it runs, and where it was lost.")
    reason: str = Field(description="Why it failed or was lost, as far as is known; else empty.")
    delay: str = Field(description="Why it was launched late, as far as is known; else empty.")
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = Field(
        description="Null while it runs. Of a lost one: when that was noticed, or the next launch began."
    )
    warm: bool = Field(description="Whether a warm worker had the share.")
    cpu: int | None = Field(description="In units of 1/1,024 vCPU; null where it has no size.")
    memory_mib: int | None = Field(description="Null where it has no size.")
    capacity_provider: str = Field(description="That of ECS; empty for Fargate on demand.")
    log: str

    def seconds(self, until: datetime) -> float:
        """Return how long it ran, up to *until* if it still runs."""
        return max(0.0, ((self.ended_at or until) - self.started_at).total_seconds())


class ContainerPage(Page[ContainerView]):
    """A page of launches by share and launch, with what is known of all of them together."""

    began_at: AwareDatetime = Field(description="Where the axis of time begins: the kick-off.")
    until: AwareDatetime = Field(description="Where it ends: when the last of them ended, or now.")
    counts: dict[ContainerState, int] = Field(description="How many launches are in each state.")
    bucket_seconds: float
    at_once: list[int] = Field(
        description=f"The most that ran at once in each bucket of time; {BUCKETS} buckets at most."
    )
    early_loss: str = Field(
        description="Why a container was lost before it began its share, the latest; empty where none was. "
        "Such containers are not among the items."
    )


def view_containers(
    events: Containers, *, completed_at: datetime | None, cancelled: bool = False, now: datetime
) -> list[ContainerView]:
    """Return each launch in *events*, by share and launch.

    The orchestration completed at *completed_at*, None while it runs, and may have been *cancelled*.
    """
    ends = {(end.share, end.launch): end for end in events.ended}
    delays: dict[int, list[ShareDelayed]] = {}
    for delay in events.delays:
        delays.setdefault(delay.share, []).append(delay)
    launches: dict[int, list[ContainerStarted]] = {}
    for start in sorted(events.started, key=lambda start: (start.share, start.launch)):
        launches.setdefault(start.share, []).append(start)
    over = completed_at if completed_at is not None and now - completed_at > _ENDING else None
    return [
        view
        for share, starts in launches.items()
        for view in _view_share(starts, ends, delays.get(share, []), _End(over, cancelled))
    ]


def find_early_loss(events: Containers) -> str:
    """Return why a container was lost before any had begun its share: the latest loss, or ""."""
    began: dict[int, datetime] = {}
    for start in events.started:
        began[start.share] = min(start.at, began.get(start.share, start.at))
    losses = (
        delay
        for delay in events.delays
        if delay.reason in _LOSSES and delay.at < began.get(delay.share, _NEVER)
    )
    latest = max(losses, key=lambda delay: delay.at, default=None)
    return "" if latest is None else _say(latest)


def page_containers(  # noqa: PLR0913 -- the place of a page, and the moments around it
    views: Sequence[ContainerView],
    *,
    began_at: datetime,
    now: datetime,
    limit: int,
    next_token: str | None = None,
    state: ContainerState | None = None,
    early_loss: str = "",
) -> ContainerPage:
    """Return a page of at most *limit* of *views*, all or those in *state*, beside the counts of all.

    Raises InvalidToken.
    """
    chosen = [view for view in views if state in (None, view.state)]
    position = position_of(next_token)
    until = max((view.ended_at or now for view in views), default=now)
    width = max(1.0, (until - began_at).total_seconds() / BUCKETS)
    return ContainerPage(
        items=chosen[position : position + limit],
        next_token=token_of(position + limit if position + limit < len(chosen) else None),
        began_at=began_at,
        until=until,
        counts=count_states(views),
        bucket_seconds=width,
        at_once=count_at_once(views, began_at, until, width) if views else [],
        early_loss=early_loss,
    )


def count_states(views: Iterable[ContainerView]) -> dict[ContainerState, int]:
    """Return how many of *views* are in each state, zeros included."""
    counts = Counter(view.state for view in views)
    return {state: counts[state] for state in ContainerState}


def count_at_once(
    views: Sequence[ContainerView], began_at: datetime, until: datetime, width: float
) -> list[int]:
    """Return the most of *views* that ran at once in each bucket of *width* seconds."""

    def find_bucket(at: datetime) -> int:
        return min(len(most) - 1, max(0, int((at - began_at).total_seconds() / width)))

    most = [0] * min(BUCKETS, int((until - began_at).total_seconds() / width) + 1)
    running = bucket = 0
    for at, change in [*_list_changes(views), (until, 0)]:
        reached = find_bucket(at)
        most[bucket : reached + 1] = [max(running, before) for before in most[bucket : reached + 1]]
        running, bucket = running + change, reached
        most[bucket] = max(most[bucket], running)
    return most


def _list_changes(views: Sequence[ContainerView]) -> list[tuple[datetime, int]]:
    """Return by how much the number that run changes, and when; of one moment, ends come before starts."""
    changes = [(view.started_at, 1) for view in views]
    changes += [(view.ended_at, -1) for view in views if view.ended_at]
    return sorted(changes)


class _End(NamedTuple):
    """What is known of when the orchestration ended."""

    over: datetime | None
    """None while containers may still say that they end."""
    cancelled: bool


def _view_share(
    starts: Sequence[ContainerStarted],
    ends: dict[tuple[int, int], ContainerEnded],
    delays: Sequence[ShareDelayed],
    whole: _End,
) -> Iterable[ContainerView]:
    """Yield the launches of one share."""
    earlier: datetime | None = None
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        end = ends.get((start.share, start.launch))
        after = [
            delay for delay in delays if start.at < delay.at and (not following or delay.at <= following.at)
        ]
        before = [
            delay
            for delay in delays
            if delay.at <= start.at and (not earlier or delay.at > earlier) and delay.reason not in _LOSSES
        ]
        ended_at = end.at if end else _find_loss(after, following, whole.over)
        state = _find_state(end, ended_at)
        is_stopped = whole.cancelled and following is None
        is_troubled = state in {ContainerState.FAILED, ContainerState.LOST}
        yield ContainerView(
            **{name: getattr(start, name) for name in _COPIED},
            state=state,
            status=end.status if end else None,
            reason=_explain_end(end, after, is_stopped=is_stopped) if is_troubled else "",
            delay=_say(before[-1]) if before else "",
            started_at=start.at,
            ended_at=None if ended_at is None else max(start.at, ended_at),
        )
        earlier = start.at


def _find_loss(
    after: Sequence[ShareDelayed], following: ContainerStarted | None, over: datetime | None
) -> datetime | None:
    """Return when it was known of a launch that did not say so that it had ended; None while it may run."""
    if after:
        return after[0].at
    return following.at if following else over


def _find_state(end: ContainerEnded | None, ended_at: datetime | None) -> ContainerState:
    if end:
        return ContainerState.FAILED if end.status else ContainerState.ENDED
    return ContainerState.RUNNING if ended_at is None else ContainerState.LOST


def _explain_end(end: ContainerEnded | None, after: Sequence[ShareDelayed], *, is_stopped: bool) -> str:
    if after:
        return _say(after[0])
    if end is None and is_stopped:
        return "it was stopped, for the orchestration was cancelled"
    if end is None:
        return "its process ended without saying so"
    return "the container ran out of memory" if end.status == OUT_OF_MEMORY else f"exit status {end.status}"


def _say(delay: ShareDelayed) -> str:
    """Return the reason of *delay*, what AWS said, and what to do about it; no full stop ends it."""
    detail = f" ({delay.detail})" if delay.detail else ""
    return ". ".join(filter(None, (f"{delay.reason}{detail}", delay.advice.rstrip("."))))
