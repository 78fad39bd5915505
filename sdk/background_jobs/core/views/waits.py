"""Why instances wait, from what the log says of the launches and delays of shares."""

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from background_jobs.core.containers import shares
from background_jobs.core.events import (
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
    """The message of AWS; empty if there was none."""

    def __str__(self) -> str:
        text = (
            f"{count_of(self.instances, 'instance')}: {self.reason}, since {self.since:%Y-%m-%d %H:%M:%S %Z}"
        )
        return f"{text} ({self.detail})" if self.detail else text


class Containers(NamedTuple):
    """The events of the containers of an orchestration."""

    started: Sequence[ContainerStarted]
    delays: Sequence[ShareDelayed]

    @classmethod
    def among(cls, events: Sequence[Event]) -> Self:
        """Select the events of containers from *events*."""
        return cls(
            [event for event in events if isinstance(event, ContainerStarted)],
            [event for event in events if isinstance(event, ShareDelayed)],
        )


def explain_waits(
    orchestration: OrchestrationStarted, containers: Containers, waiting: Iterable[int]
) -> list[Wait]:
    """Return why the instances with the indices *waiting* (ascending) wait, the largest group first."""
    total, count = orchestration.total, orchestration.parallelism
    bounds = [share.last for share in shares.cut_shares([1] * total, total, count)] if total else []
    launched = {start.share for start in containers.started}
    delays: dict[int, list[ShareDelayed]] = {}
    for delay in sorted(containers.delays, key=lambda delay: delay.number):
        delays.setdefault(delay.share, []).append(delay)
    groups: dict[tuple[str, str], list[tuple[int, datetime]]] = {}
    share = 0
    for index in waiting:
        while index > bounds[share]:
            share += 1
        reason, detail, since = _explain_wait(share, orchestration, launched, delays)
        groups.setdefault((reason, detail), []).append((share, since))
    waits = [
        Wait(
            reason=reason,
            detail=detail,
            since=min(since for _, since in members),
            shares=len({number for number, _ in members}),
            instances=len(members),
        )
        for (reason, detail), members in groups.items()
    ]
    return sorted(waits, key=lambda wait: -wait.instances)


def _explain_wait(
    share: int,
    orchestration: OrchestrationStarted,
    launched: Container[int],
    delays: Mapping[int, Sequence[ShareDelayed]],
) -> tuple[str, str, datetime]:
    if share in launched:
        return QUEUED, "", orchestration.at
    if share in delays:
        first, latest = delays[share][0], delays[share][-1]
        return str(latest.reason), latest.detail, first.at
    return LAUNCHING, "", orchestration.at
