"""Reading how several orchestrations stand: a page of a list, and what needs a look among all of them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from background_jobs.aws.history import History, HistoryFilter
from background_jobs.aws.stores import Stores
from background_jobs.core.limits import LONGEST_PAGE
from background_jobs.core.read_model import Summary
from background_jobs.core.statuses import OrchestrationStatus
from background_jobs.core.views.orchestration import OrchestrationCounts, OrchestrationView
from background_jobs.core.views.waits import find_delay
from background_jobs.orchestration_service.pipeline_runs import combine_statuses, read_stages

RECENTLY: Final = timedelta(hours=24)
"""How old an orchestration that errored may be to be counted."""


def read_views(summaries: Sequence[Summary], stores: Stores, now: datetime) -> list[OrchestrationView]:
    """Return the views of *summaries* at the moment *now*, with what is to be read beside them.

    That is a query for each orchestration that waits for launches, and a read for each stage of pipelines,
    however many these are.
    """
    pipelines = _read_pipeline_statuses(summaries, stores)
    return [
        OrchestrationView.of(
            summary,
            now,
            waits_for=_read_delay(summary, stores),
            pipeline_status=pipelines.get(summary.pipeline_id or ""),
        )
        for summary in summaries
    ]


def read_counts(services: frozenset[str] | None, stores: Stores, now: datetime) -> OrchestrationCounts:
    """Count what is in progress, and what errored of late; of *services*, or of all."""
    in_progress, more_in_progress = _read(
        OrchestrationStatus.IN_PROGRESS, None, services, stores.history, now
    )
    errored, more_errored = _read(OrchestrationStatus.ERRORED, now - RECENTLY, services, stores.history, now)
    views = read_views(in_progress, stores, now)
    return OrchestrationCounts.of(views, len(errored), truncated=more_in_progress or more_errored)


def _read(
    status: OrchestrationStatus,
    since: datetime | None,
    services: frozenset[str] | None,
    history: History,
    now: datetime,
) -> tuple[list[Summary], bool]:
    # What callers kicked off whose clocks are ahead counts as well.
    filters = HistoryFilter(status=status, since=since, until=now + timedelta(hours=1), services=services)
    summaries, token = history.page(filters, limit=LONGEST_PAGE)
    return summaries, token is not None


def _read_delay(summary: Summary, stores: Stores) -> str | None:
    if summary.delayed_at is None or summary.done or not summary.waiting:
        return None
    return find_delay(stores.for_service(summary.service).event_log.read_containers(summary.orchestration_id))


def _read_pipeline_statuses(summaries: Sequence[Summary], stores: Stores) -> dict[str, OrchestrationStatus]:
    first_stages = list(dict.fromkeys(summary.pipeline_id for summary in summaries if summary.pipeline_id))
    statuses = {first: combine_statuses(run) for first, run in read_stages(first_stages, stores).items()}
    # A stage that runs again carries its pipeline on, and does not follow from the stage before.
    going_on = {summary.pipeline_id for summary in summaries if summary.pipeline_id and not summary.done}
    return statuses | dict.fromkeys(filter(None, going_on), OrchestrationStatus.IN_PROGRESS)
