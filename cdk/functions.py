"""The Lambda functions: one code folder, one layer of dependencies."""

from collections.abc import Mapping, Sequence
from typing import Final

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_lambda_event_sources import DynamoEventSource, SqsDlq
from constructs import Construct

from background_jobs.settings import ExecutionSettings, Settings
from cdk.event_log import EventLogTable

_RUNTIME: Final = lambda_.Runtime.PYTHON_3_13
_RETRIES: Final = 100
_RECORD_AGE: Final = Duration.hours(12)
"""Half of what the stream keeps, so that a poison record is handed over while its neighbours still exist."""


class Functions(Construct):
    """The functions of the control plane, and the queue of the records that they gave up."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, code: str, dependencies: str
    ) -> None:
        super().__init__(scope, construct_id)
        self._code = lambda_.Code.from_asset(code, exclude=["**/__pycache__"])
        self._layer = lambda_.LayerVersion(
            self,
            "Dependencies",
            code=lambda_.Code.from_asset(dependencies),
            compatible_architectures=[lambda_.Architecture.ARM_64],
            compatible_runtimes=[_RUNTIME],
        )
        self._environment = settings.to_env() | {"POWERTOOLS_SERVICE_NAME": "background-jobs"}
        self.failed_records = sqs.Queue(
            self,
            "FailedRecords",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        self.start_orchestration = self.function("start_orchestration", seconds=30)
        self.aggregate_jobs = self.function("aggregate_jobs", seconds=120)
        self.close_unfinished = self.function("close_unfinished", seconds=900)
        self.end_orchestration = self.function("end_orchestration", seconds=900)
        self.kick_off_job = self.function("kick_off_job", seconds=900)
        self._alarm()

    def read_stream(self, event_log: EventLogTable) -> None:
        """Feed the stream to the functions that follow it: two, for more would slow each other down."""
        for function, batch_size, kind in (
            (self.start_orchestration, 10, "OrchestrationStarted"),
            (self.aggregate_jobs, 1_000, None),
        ):
            wanted = {"dynamodb": {"NewImage": {"type": {"S": lambda_.FilterRule.is_equal(kind or "")}}}}
            source = DynamoEventSource(
                event_log.table,
                starting_position=lambda_.StartingPosition.TRIM_HORIZON,
                batch_size=batch_size,
                filters=[lambda_.FilterCriteria.filter(wanted)] if kind else None,
                report_batch_item_failures=True,
                bisect_batch_on_error=True,
                retry_attempts=_RETRIES,
                max_record_age=_RECORD_AGE,
                on_failure=SqsDlq(self.failed_records),
            )
            function.add_event_source(source)

    def control(self, execution: ExecutionSettings) -> None:
        """Tell the functions that start and end executions which they are."""
        for function in (self.start_orchestration, self.end_orchestration):
            for name, value in execution.to_env().items():
                function.add_environment(name, value)

    def _alarm(self) -> None:
        """Ring when a record was given up: an orchestration may wait for it."""
        self.failed_records.metric_approximate_number_of_messages_visible(statistic="Maximum").create_alarm(
            self,
            "RecordsGivenUp",
            alarm_description="Records of the event log were given up; see docs/runbook.md#records-given-up",
            threshold=1,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def function(
        self,
        name: str,
        *,
        seconds: int,
        handler: str | None = None,
        layers: Sequence[lambda_.ILayerVersion] = (),
        environment: Mapping[str, str] | None = None,
    ) -> lambda_.Function:
        """Make the function whose code is in ``lambdas/<name>``, with a log and a role of its own."""
        title = "".join(part.capitalize() for part in name.split("_"))
        log = logs.LogGroup(
            self,
            f"{title}Log",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
        )
        return lambda_.Function(
            self,
            title,
            runtime=_RUNTIME,
            architecture=lambda_.Architecture.ARM_64,
            handler=handler or f"{name}.handler.handler",
            code=self._code,
            layers=[self._layer, *layers],
            environment={**self._environment, **(environment or {})},
            memory_size=1024,
            timeout=Duration.seconds(seconds),
            log_group=log,
            role=self._role(title, log),
        )

    def _role(self, title: str, log: logs.LogGroup) -> iam.Role:
        """Make a role that may write its own log and nothing else; the managed policy allows every log."""
        role = iam.Role(self, f"{title}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log.grant_write(role)
        return role
