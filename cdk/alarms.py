"""The alarms of an environment; docs/runbook.md answers each under its name."""

import re
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from background_jobs.cdk.control_plane import ControlPlane
from background_jobs.cdk.functions import Functions
from background_jobs.cdk.metrics import PERIOD, of_all, own_metric, share_not_taken
from background_jobs.core.metrics import Metric

_BEHIND: Final = Duration.minutes(1)
_MINUTE: Final = Duration.minutes(1)
_HALF: Final = 0.5


class Alarms(Construct):
    """One alarm for each fault that does not mend itself."""

    def __init__(  # noqa: PLR0913 -- what it watches
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: str,
        control_plane: ControlPlane,
        functions: Functions,
        action: cloudwatch.IAlarmAction | None,
        warm: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        self._action = action
        given_up = control_plane.stream.given_up
        self._alarm(
            "RecordsGivenUp",
            "Events were given up, and orchestrations may wait for them",
            given_up.metric_approximate_number_of_messages_visible(statistic="Maximum", period=PERIOD),
        )
        self._watch_stream(environment, control_plane)
        self._alarm(
            "OrchestrationsStalled",
            "Orchestrations are not done, and nothing in them has moved for too long",
            own_metric(environment, Metric.ORCHESTRATIONS_STALLED, "Maximum"),
        )
        self._alarm(
            "EventsReplaced",
            "Items of the event log were replaced or removed, which nothing of ours does",
            own_metric(environment, Metric.EVENTS_REPLACED, "Sum"),
        )
        self._alarm(
            "LaunchesRefused",
            "ECS has refused to launch containers for half an hour",
            own_metric(environment, Metric.LAUNCHES_REFUSED, "Sum"),
            periods=6,
        )
        self._alarm(
            "InstancesNotLaunched",
            "Containers were given up that could not be launched, and their instances are errored",
            own_metric(environment, Metric.INSTANCES_NOT_LAUNCHED, "Sum"),
        )
        self._alarm(
            "FunctionsFail",
            "Functions have raised for a quarter of an hour",
            of_all(functions.all, "Errors"),
            periods=3,
        )
        self._alarm(
            "FunctionsThrottled",
            "Lambda has refused to run functions for a quarter of an hour",
            of_all(functions.all, "Throttles"),
            periods=3,
        )

        if warm:
            self._alarm(
                "OffersNotTaken",
                "Warm workers have not taken half of the shares that were offered to them within an hour",
                share_not_taken(environment),
                threshold=_HALF,
            )

    def _watch_stream(self, environment: str, control_plane: ControlPlane) -> None:
        """Watch both functions that follow the stream.

        What they ask to be given again counts as no error of a function: with partial batch responses,
        Lambda's `Errors` stays 0 whatever they answer. Source: AWS Lambda Developer Guide, "Configuring
        partial batch response with DynamoDB and Lambda".
        """
        for name, message, function in (
            (
                "AggregatorBehind",
                "The read model is more than a minute behind the event log",
                control_plane.aggregate_jobs,
            ),
            (
                "StartsBehind",
                "Orchestrations that were kicked off more than a minute ago have no execution",
                control_plane.start_orchestration,
            ),
        ):
            age = function.metric("IteratorAge", statistic="Maximum", period=_MINUTE)
            # Lambda makes pauses between retries, so there need not be a value for every minute.
            self._alarm(name, message, age, threshold=_BEHIND.to_milliseconds(), periods=5, breaching=3)
        self._alarm(
            "RecordsFail",
            "Functions have failed on records of the event log for ten minutes",
            own_metric(environment, Metric.RECORDS_FAILED, "Sum"),
            periods=2,
        )

    def _alarm(  # noqa: PLR0913 -- what an alarm is
        self,
        name: str,
        message: str,
        metric: cloudwatch.IMetric,
        *,
        threshold: float = 1,
        periods: int = 1,
        breaching: int | None = None,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            datapoints_to_alarm=breaching,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=f"{message}; see docs/runbook.md#{runbook_anchor(name)}",
        )
        if self._action is not None:
            alarm.add_alarm_action(self._action)


def runbook_anchor(alarm: str) -> str:
    """Return the anchor under which the runbook answers *alarm*: its name, in words."""
    return "-".join(re.findall("[A-Z][a-z]+", alarm)).lower()
