"""Lambda: warns of orchestrations in which nothing moves."""

from datetime import UTC, datetime, timedelta
from functools import cache

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from background_jobs.aws.stores import Stores
from background_jobs.control_plane.note_stalls import note_stalls
from background_jobs.core.metrics import Metric
from background_jobs.settings import Settings, StallSettings

logger = Logger()
metrics = Metrics()


@cache
def _parts() -> tuple[Stores, timedelta]:
    return Stores.of(Settings.from_env()), timedelta(seconds=StallSettings.from_env().stalled_after_seconds)


@metrics.log_metrics
def handler(_event: object, _context: object) -> dict[str, int]:
    """Note the orchestrations that stand still; return how many there are."""
    stores, allowed = _parts()
    stalled = note_stalls(stores, datetime.now(UTC), allowed)
    for summary in stalled:
        logger.warning("Nothing moves", extra={"orchestration_id": summary.orchestration_id})
    metrics.add_metric(Metric.ORCHESTRATIONS_STALLED, MetricUnit.Count, len(stalled))
    return {"stalled": len(stalled)}
