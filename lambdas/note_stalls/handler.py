"""Lambda: warns of orchestrations in which nothing moves, and keeps as many warm workers as are wanted."""

from datetime import UTC, datetime, timedelta
from functools import cache

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.aws.warm_services import WarmServices
from background_jobs.control_plane.note_stalls import note_stalls
from background_jobs.control_plane.warm_workers import keep_warm
from background_jobs.core.metrics import Metric
from background_jobs.settings import Settings, StallSettings, WarmSettings

logger = Logger()
metrics = Metrics()


@cache
def _parts() -> tuple[Stores, timedelta]:
    return Stores.of(Settings.from_env()), timedelta(seconds=StallSettings.from_env().stalled_after_seconds)


def _keep_warm(stores: Stores) -> None:
    """Keep the workers warm that are wanted; what fails there keeps nobody from being warned of stalls."""
    warm = WarmSettings.from_env()
    if not warm.warm_workers:
        return
    try:
        services = WarmServices(clients.ecs(), warm.cluster_arn)
        now = datetime.now(UTC)
        changed = keep_warm(warm.warm_workers, warm.capacity_providers, services, stores.history, now)
    except Exception:
        logger.exception("Warm workers are kept as they are")
    else:
        for service, count in changed.items():
            logger.info(
                "Keeps another number of warm workers", extra={"service_name": service, "count": count}
            )


@metrics.log_metrics
def handler(_event: object, _context: object) -> dict[str, int]:
    """Note the orchestrations that stand still; return how many there are."""
    stores, allowed = _parts()
    _keep_warm(stores)
    stalled = note_stalls(stores, datetime.now(UTC), allowed)
    for summary in stalled:
        logger.warning("Nothing moves", extra={"orchestration_id": summary.orchestration_id})
    metrics.add_metric(Metric.ORCHESTRATIONS_STALLED, MetricUnit.Count, len(stalled))
    return {"stalled": len(stalled)}
