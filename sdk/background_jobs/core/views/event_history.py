"""The event history of an orchestration: what happened to it, and what its containers did."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import assert_never

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from background_jobs.core.events import (
    ContainerEnded,
    ContainerStarted,
    LaterEvent,
    OrchestrationCancelled,
    OrchestrationCompleted,
    OrchestrationEvent,
    OrchestrationStalled,
    OrchestrationStarted,
    RerunRequested,
    ShareDelayed,
    StageSkipped,
)
from background_jobs.core.views.later_events import LaterEvents, list_later
from background_jobs.core.views.waits import Wait
from background_jobs.core.wording import count_of


class TimelineEntry(BaseModel):
    """An event of an orchestration as a whole, or of one of its containers."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    type: str = Field(description="The event in the log.")
    detail: str


class Launch(BaseModel):
    """One launch of a container for a share."""

    model_config = ConfigDict(frozen=True)

    share: int
    launch: int = Field(
        description="Counts from 0; one above 0 goes on where a process ended, or its container."
    )
    first: int
    last: int
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = Field(description="Null while it runs, and where it was lost.")
    status: int | None
    log: str
    warm: bool = Field(default=False, description="Whether a warm worker had the share.")


class EventHistory(BaseModel):
    """The history of an orchestration in the log, beside its summary."""

    model_config = ConfigDict(frozen=True)

    timeline: list[TimelineEntry]
    launches: list[Launch]
    lost: int = Field(
        description="Launches whose process ended without saying so, alone or with its container."
    )
    container_seconds: float = Field(
        description="How long containers ran that were launched for shares, added up."
    )
    cpu: int | None = Field(description="Of a task, in units of 1/1,024 vCPU; null where it has no size.")
    memory_mib: int | None = Field(description="Of a task; null where it has no size.")
    capacity_provider: str = Field(
        description="That of ECS, on which tasks run; empty for Fargate on demand, and where none is known."
    )
    task_definitions: list[str] = Field(
        description="The revisions that containers ran: the one that the orchestration began with and keeps; "
        "empty where none is known."
    )
    failed_attempts: int = Field(description="Attempts that came to nothing while another was to follow.")
    waits: list[Wait] = Field(description="Why instances wait; empty where none does.")
    later_events: list[LaterEvents] = Field(
        default=[], description="What a later release wrote, which is not shown; empty where it did not."
    )

    @property
    def containers(self) -> int:
        """Return how many were launched for shares, in each of which several processes may have followed.

        The launches of one container have one log; where none is known, each counts.
        """
        own = [launch for launch in self.launches if not launch.warm]
        logs = {(launch.share, launch.log) for launch in own if launch.log}
        return len(logs) + sum(not launch.log for launch in own)


def build_event_history(
    events: Sequence[OrchestrationEvent],
    *,
    failed_attempts: int,
    waits: list[Wait],
    now: datetime,
    later: Iterable[LaterEvent] = (),
) -> EventHistory:
    """Return the history that *events* tell: those of the orchestration as a whole, by time.

    *failed_attempts* is their number, *waits* says why instances wait, and *now* ends the launches that still
    run. A later release wrote *later*.
    """
    started = [event for event in events if isinstance(event, ContainerStarted)]
    launches = list_launches(events)
    ended_at = next((event.at for event in events if isinstance(event, OrchestrationCompleted)), now)
    ends = _find_ends(launches, ended_at)
    return EventHistory(
        timeline=[
            TimelineEntry(at=event.at, type=event.type, detail=_describe(event))
            for event in sorted(events, key=_place)
        ],
        launches=launches,
        lost=sum(
            launch.ended_at is None and end < ended_at for launch, end in zip(launches, ends, strict=True)
        ),
        container_seconds=sum(
            (end - launch.started_at for launch, end in zip(launches, ends, strict=True) if not launch.warm),
            timedelta(),
        ).total_seconds(),
        cpu=next((event.cpu for event in started if event.cpu), None),
        memory_mib=next((event.memory_mib for event in started if event.memory_mib), None),
        capacity_provider=next((event.capacity_provider for event in started if event.capacity_provider), ""),
        task_definitions=sorted({event.task_definition for event in started if event.task_definition}),
        failed_attempts=failed_attempts,
        waits=waits,
        later_events=list_later(later),
    )


def _place(event: OrchestrationEvent) -> tuple[datetime, int]:
    """Return where *event* is among others: what is without instances starts and completes at one moment."""
    return event.at, isinstance(event, OrchestrationCompleted) - isinstance(event, OrchestrationStarted)


def list_launches(events: Sequence[OrchestrationEvent]) -> list[Launch]:
    """Return the launches that *events* tell of, in their order, with how each ended."""
    return list(_read_launches(events))


def _read_launches(events: Sequence[OrchestrationEvent]) -> Iterator[Launch]:
    ends = {(event.share, event.launch): event for event in events if isinstance(event, ContainerEnded)}
    for event in events:
        if isinstance(event, ContainerStarted):
            end = ends.get((event.share, event.launch))
            yield Launch(
                share=event.share,
                launch=event.launch,
                first=event.first,
                last=event.last,
                started_at=event.at,
                ended_at=end.at if end else None,
                status=end.status if end else None,
                log=event.log,
                warm=event.warm,
            )


def _find_ends(launches: Sequence[Launch], ended_at: datetime) -> list[datetime]:
    """Return when each launch ended: by its own event, or when the next launch began, or at *ended_at*."""
    starts = {(launch.share, launch.launch): launch.started_at for launch in launches}
    return [
        launch.ended_at or max(launch.started_at, starts.get((launch.share, launch.launch + 1), ended_at))
        for launch in launches
    ]


def _describe(event: OrchestrationEvent) -> str:  # noqa: PLR0911 -- a sentence for each event
    match event:
        case OrchestrationStarted():
            instances = count_of(event.total, "instance")
            return f"{instances} of {event.job_name} in {count_of(event.parallelism, 'share')}{_by(event.by)}"
        case OrchestrationCancelled():
            return f"{event.reason}{_by(event.by)}".removeprefix(", ")
        case OrchestrationCompleted():
            return f"{event.completed} completed, {event.errored} errored"
        case OrchestrationStalled():
            return f"nothing has moved since {event.moved_at:%Y-%m-%d %H:%M:%S %Z}"
        case StageSkipped():
            return f"{event.job_name} does not follow: {event.reason}"
        case RerunRequested():
            which = f"those of cause {event.cause}" if event.cause else event.only
            return f"{which} as {event.rerun_id}{_by(event.by)}"
        case ContainerStarted():
            again = f", launch {event.launch}" if event.launch else ""
            where = ", on a warm worker" if event.warm else ""
            return f"share {event.share}: instances {event.first} to {event.last}{again}{where}"
        case ContainerEnded():
            return f"share {event.share}: exit status {event.status}"
        case ShareDelayed():
            advice = f". {event.advice}" if event.advice else ""
            return f"share {event.share}: {event.reason} ({event.detail}){advice}"
    assert_never(event)


def _by(actor: str) -> str:
    return f", by {actor}" if actor else ""
