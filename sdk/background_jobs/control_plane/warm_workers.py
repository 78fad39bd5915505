"""Warm workers: how many shares of an orchestration are offered to them, and how many are kept."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from background_jobs.aws.history import History, HistoryFilter
from background_jobs.aws.offer_queue import OfferQueue
from background_jobs.aws.warm_services import WarmServices
from background_jobs.core.containers.capacity import ON_DEMAND
from background_jobs.core.containers.warm import WarmWorkers, count_idle, warm_service
from background_jobs.core.events import OrchestrationStarted
from background_jobs.core.metrics import Measurement, Metric

_log = logging.getLogger(__name__)


class Offered(NamedTuple):
    """The shares of an orchestration that are offered to warm workers before a task is launched for them."""

    shares: int = 0
    """So many of the first."""
    queue: str = ""
    """The address of the queue in which they are offered; empty where the service has no warm workers."""


@dataclass(frozen=True)
class WarmOffers:
    """Decides how many shares are offered, by what ECS and SQS say of the workers at that moment."""

    workers: Mapping[str, WarmWorkers]
    """Those of each service that has some."""
    capacity_providers: Mapping[str, str]
    services: WarmServices
    find_queue: Callable[[str], str]
    """Returns the address of the queue of a service."""
    open_queue: Callable[[str], OfferQueue]
    measure: Callable[[Iterable[Measurement]], None] = field(default=lambda _: None)

    def offer(self, started: OrchestrationStarted, revision: str) -> Offered:
        """Return what to offer of an orchestration whose containers run *revision*; wake the workers up.

        Nothing is offered where AWS does not answer: the tasks are launched as if there were no workers.
        """
        warm = self.workers.get(started.service)
        if warm is None:
            return Offered()
        try:
            queue = self.find_queue(started.service)
            idle = self._count_idle(started, revision, warm, queue)
        except Exception as error:  # noqa: BLE001 -- whatever it is, tasks can be launched
            _log.warning("No share is offered to warm workers: %s", error)
            return Offered()
        return Offered(min(idle, started.parallelism), queue)

    def _count_idle(self, started: OrchestrationStarted, revision: str, warm: WarmWorkers, queue: str) -> int:
        name = warm_service(started.service, self.capacity_providers.get(started.service, ON_DEMAND))
        state = self.services.find(name)
        if state is None:
            return 0
        wanted = warm.count_at(started.at, last_kick_off=started.at)
        if not warm.is_constant and state.desired < wanted:
            self.services.keep(name, wanted)
        running = state.running.get(revision, 0)
        offered, taken = self.open_queue(queue).backlog()
        idle = count_idle(running, offered, taken)
        self.measure(
            [
                Measurement(Metric.WARM_WORKERS, running),
                Measurement(Metric.WARM_WORKERS_BUSY, min(running, taken)),
                Measurement(Metric.SHARES_OFFERED, min(idle, started.parallelism)),
            ]
        )
        return idle


def keep_warm(
    workers: Mapping[str, WarmWorkers],
    capacity_providers: Mapping[str, str],
    services: WarmServices,
    history: History,
    now: datetime,
) -> dict[str, int]:
    """Have each service keep as many workers as are wanted now; return the new numbers."""
    changed = {}
    for service, warm in workers.items():
        name = warm_service(service, capacity_providers.get(service, ON_DEMAND))
        if warm.is_constant or (state := services.find(name)) is None:
            continue
        wanted = warm.count_at(now, _last_kick_off(history, service, now))
        if state.desired != wanted:
            services.keep(name, wanted)
            changed[service] = wanted
    return changed


def _last_kick_off(history: History, service: str, now: datetime) -> datetime | None:
    page = history.page(HistoryFilter(services=frozenset({service}), until=now), limit=1)
    return next((summary.started_at for summary in page.summaries), None)
