"""Why instances wait, from what the log says of the launches and delays of shares."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from background_jobs.core.containers import shares
from background_jobs.core.events import (
    ContainerEnded,
    ContainerStarted,
    Event,
    OrchestrationStarted,
    ShareDelayed,
)
from background_jobs.core.wording import count_of

QUEUED = "queued behind parallelism"
LAUNCHING = "waiting for launch"


class Wait(BaseModel):
    """The instances that wait for one reason."""

    model_config = ConfigDict(frozen=True)

    reason: str
    since: AwareDatetime
    shares: int
    """How many shares these instances are in."""
    instances: int
    detail: str = ""
    """The message of AWS, the latest of them; empty if there was none."""
    advice: str = ""
    """What to do about it, such as which quota to have raised; empty where nothing is known."""

    def __str__(self) -> str:
        text = (
            f"{count_of(self.instances, 'instance')}: {self.reason}, since {self.since:%Y-%m-%d %H:%M:%S %Z}"
        )
        detail = f"{text} ({self.detail})" if self.detail else text
        return f"{detail}. {self.advice}" if self.advice else detail


class Containers(NamedTuple):
    """The events of the containers of an orchestration."""

    started: Sequence[ContainerStarted]
    delays: Sequence[ShareDelayed]
    ended: Sequence[ContainerEnded] = ()

    @classmethod
    def among(cls, events: Sequence[Event]) -> Self:
        """Select the events of containers from *events*."""
        return cls(
            [event for event in events if isinstance(event, ContainerStarted)],
            [event for event in events if isinstance(event, ShareDelayed)],
            [event for event in events if isinstance(event, ContainerEnded)],
        )


class _Cause(NamedTuple):
    """Why a share waits."""

    reason: str
    since: datetime
    at: datetime
    """When that was last said."""
    detail: str = ""
    advice: str = ""


def explain_waits(
    orchestration: OrchestrationStarted, containers: Containers, waiting: Iterable[int]
) -> list[Wait]:
    """Return why the instances with the indices *waiting* (ascending) wait, the largest group first."""
    total, count = orchestration.total, orchestration.parallelism
    bounds = [share.last for share in shares.cut_shares([1] * total, total, count)] if total else []
    causes = _find_causes(containers)
    launched = {start.share for start in containers.started}
    groups: dict[str, list[tuple[int, _Cause]]] = {}
    share = 0
    for index in waiting:
        while index > bounds[share]:
            share += 1
        otherwise = QUEUED if share in launched else LAUNCHING
        cause = causes.get(share) or _Cause(otherwise, orchestration.at, orchestration.at)
        groups.setdefault(cause.reason, []).append((share, cause))
    waits = [_group(reason, members) for reason, members in groups.items()]
    return sorted(waits, key=lambda wait: -wait.instances)


def find_delay(containers: Containers) -> str | None:
    """Return what keeps most of the shares that are delayed from being launched; None where none is."""
    reasons = Counter(cause.reason for cause in _find_causes(containers).values())
    return reasons.most_common(1)[0][0] if reasons else None


def _find_causes(containers: Containers) -> dict[int, _Cause]:
    """Return why shares wait whose latest launch failed, by share; a container that started waits no more."""
    started_at: dict[int, datetime] = {}
    for start in containers.started:
        started_at[start.share] = max(start.at, started_at.get(start.share, start.at))
    causes: dict[int, _Cause] = {}
    for delay in sorted(containers.delays, key=lambda delay: delay.number):
        if (launch := started_at.get(delay.share)) is None or delay.at > launch:
            before = causes.get(delay.share)
            since = before.since if before else delay.at
            causes[delay.share] = _Cause(str(delay.reason), since, delay.at, delay.detail, delay.advice)
    return causes


def _group(reason: str, members: Sequence[tuple[int, _Cause]]) -> Wait:
    latest = max((cause for _, cause in members), key=lambda cause: cause.at)
    return Wait(
        reason=reason,
        detail=latest.detail,
        advice=latest.advice,
        since=min(cause.since for _, cause in members),
        shares=len({number for number, _ in members}),
        instances=len(members),
    )
