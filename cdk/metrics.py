"""The metrics of an environment, as alarms and dashboard read them."""

from collections.abc import Iterable
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_

from background_jobs.core.metrics import METRIC_SERVICE, Metric, metric_namespace

PERIOD: Final = Duration.minutes(5)

COUNTED_FROM_LOGS: Final = frozenset({Metric.LAUNCHES_REFUSED, Metric.FEED_LAG, Metric.OFFERS_NOT_TAKEN})
"""Metrics that no code of ours emits; CloudWatch takes them from logs."""


def own_metric(environment: str, metric: Metric, statistic: str) -> cloudwatch.Metric:
    """Return a metric that our own code emits, or that is counted from our logs."""
    return cloudwatch.Metric(
        namespace=metric_namespace(environment),
        metric_name=metric,
        dimensions_map=None if metric in COUNTED_FROM_LOGS else {"service": METRIC_SERVICE},
        statistic=statistic,
        period=PERIOD,
    )


def share_not_taken(environment: str) -> cloudwatch.MathExpression:
    """Return which part of the shares that were offered to warm workers within an hour none of them did."""
    hour = Duration.hours(1)
    offered = own_metric(environment, Metric.SHARES_OFFERED, "Sum").with_(period=hour)
    not_taken = own_metric(environment, Metric.OFFERS_NOT_TAKEN, "Sum").with_(period=hour)
    return cloudwatch.MathExpression(
        expression="IF(offered > 0, FILL(not_taken, 0) / offered, 0)",
        using_metrics={"offered": offered, "not_taken": not_taken},
        label="Offers that no warm worker took",
        period=hour,
    )


def of_all(functions: Iterable[lambda_.Function], name: str) -> cloudwatch.MathExpression:
    """Return the sum of Lambda's metric *name* (``Errors``) over *functions*."""
    metrics: dict[str, cloudwatch.IMetric] = {
        f"{name.lower()}{number}": function.metric(name, statistic="Sum", period=PERIOD)
        for number, function in enumerate(functions)
    }
    return cloudwatch.MathExpression(
        expression=f"SUM([{', '.join(metrics)}])", using_metrics=metrics, label=name, period=PERIOD
    )
