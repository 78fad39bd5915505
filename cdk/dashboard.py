"""The dashboard of an environment: what was done, what waits, and what goes wrong."""

from aws_cdk import Aws, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from background_jobs.cdk.control_plane import ControlPlane
from background_jobs.cdk.functions import Functions
from background_jobs.cdk.metrics import of_all, own_metric, share_not_taken
from background_jobs.cdk.progress_api import ProgressApi
from background_jobs.core.metrics import Metric

_WIDTH = 8
_FAILURES_BY_JOB = (
    f"filter {Metric.INSTANCES_ERRORED} > 0",
    f"stats sum({Metric.INSTANCES_ERRORED}) as errored by job_name, orchestration_id",
    "sort errored desc",
    "limit 20",
)


class EnvironmentDashboard(Construct):
    """Rows of three widgets: outcomes, times, faults, and warm workers where there are some."""

    def __init__(  # noqa: PLR0913 -- what it shows
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: str,
        control_plane: ControlPlane,
        functions: Functions,
        progress_api: ProgressApi,
        warm: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        self._environment = environment
        # An account has one list of dashboards for all its regions.
        name = f"{Stack.of(self).stack_name}-{Aws.REGION}"
        dashboard = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=name)
        dashboard.add_widgets(
            self._graph("Instances", "Sum", Metric.INSTANCES_COMPLETED, Metric.INSTANCES_ERRORED),
            self._graph("Orchestrations", "Sum", Metric.ORCHESTRATIONS_COMPLETED),
            cloudwatch.LogQueryWidget(
                title="Errored instances",
                log_group_names=[control_plane.aggregate_jobs.log_group.log_group_name],
                query_lines=list(_FAILURES_BY_JOB),
                width=_WIDTH,
            ),
        )
        dashboard.add_widgets(
            self._graph(
                "Durations, median (s)", "p50", Metric.INSTANCE_DURATION, Metric.ORCHESTRATION_DURATION
            ),
            self._graph("Kick-off to first start (s)", "p90", Metric.QUEUE_WAIT),
            self._graph(
                "Event to read model and watchers (s)", "p99", Metric.AGGREGATOR_LAG, Metric.FEED_LAG
            ),
        )
        dashboard.add_widgets(
            self._graph(
                "Trouble",
                "Sum",
                Metric.LAUNCHES_REFUSED,
                Metric.INSTANCES_NOT_LAUNCHED,
                Metric.ORCHESTRATIONS_STALLED,
                Metric.EVENTS_REPLACED,
                Metric.RECORDS_FAILED,
            ),
            _widget("Functions", of_all(functions.all, "Errors"), of_all(functions.all, "Throttles")),
            _widget(
                "API",
                progress_api.api.metric_count(),
                progress_api.api.metric_client_error(),
                progress_api.api.metric_server_error(),
            ),
        )

        if warm:
            dashboard.add_widgets(
                self._graph("Warm workers", "Maximum", Metric.WARM_WORKERS, Metric.WARM_WORKERS_BUSY),
                self._graph(
                    "Shares offered to warm workers", "Sum", Metric.SHARES_OFFERED, Metric.OFFERS_NOT_TAKEN
                ),
                _widget("Offers not taken", share_not_taken(environment)),
            )

    def _graph(self, title: str, statistic: str, *metrics: Metric) -> cloudwatch.GraphWidget:
        return _widget(title, *(own_metric(self._environment, metric, statistic) for metric in metrics))


def _widget(title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=_WIDTH)
