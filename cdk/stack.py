"""The stack of one stage: the parts, and what each may do to the others."""

from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from constructs import Construct

from background_jobs.settings import ExecutionSettings, Settings
from cdk.chaining import Chaining
from cdk.config import StageConfig
from cdk.event_log import EventLogTable
from cdk.fan_out import FanOut
from cdk.functions import Functions
from cdk.job_services import JobServices
from cdk.payloads import PayloadBucket
from cdk.progress_api import ProgressApi
from cdk.read_model import ReadModelTable
from cdk.schedules import Schedules
from cdk.standstills import Standstills


class BackgroundJobsStack(Stack):
    """Everything that one stage needs; its outputs are the settings of the SDK."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: StageConfig,
        code: str,
        dependencies: str,
        **options: Any,  # noqa: ANN401 -- those of every stack
    ) -> None:
        super().__init__(scope, construct_id, **options)
        event_log = EventLogTable(self, "EventLog", keep_data=config.keep_data)
        read_model = ReadModelTable(self, "ReadModel")
        payloads = PayloadBucket(
            self, "Payloads", keep_data=config.keep_data, retention_days=config.retention_days
        )
        bus = events.EventBus(self, "Bus", event_bus_name=config.event_bus)
        settings = Settings(
            stage=config.stage,
            event_log_table=event_log.table.table_name,
            read_model_table=read_model.table.table_name,
            payload_bucket=payloads.bucket.bucket_name,
            event_bus=config.event_bus,
            service=config.services[0].name,
            max_parallelism=config.max_parallelism,
            retention_days=config.retention_days,
        )
        services = JobServices(
            self,
            "Services",
            services=config.services,
            settings=settings,
            event_log=event_log,
            payloads=payloads,
        )
        functions = Functions(self, "Functions", settings=settings, code=code, dependencies=dependencies)
        fan_out = FanOut(
            self, "FanOut", services=services, payloads=payloads, close_unfinished=functions.close_unfinished
        )
        functions.control(
            ExecutionSettings(
                state_machine_arn=fan_out.state_machine.state_machine_arn,
                cluster_arn=services.cluster.cluster_arn,
            )
        )
        fan_out.end_by(functions.end_orchestration, bus)
        functions.read_stream(event_log)

        fan_out.grant_start(functions.start_orchestration)
        read_model.grant_fold(functions.aggregate_jobs)
        event_log.grant_append(functions.aggregate_jobs)
        event_log.grant_read(functions.aggregate_jobs)
        bus.grant_put_events_to(functions.aggregate_jobs)
        for closing in (functions.close_unfinished, functions.end_orchestration):
            event_log.grant_append(closing)
            event_log.grant_read(closing)
            read_model.grant_read(closing)
            payloads.grant_read(closing)
        services.grant_stop(functions.end_orchestration)
        fan_out.grant_stop(functions.end_orchestration)

        progress_api = ProgressApi(
            self, "ProgressApi", functions=functions, user_pool_arn=config.user_pool_arn
        )
        callers = iam.ManagedPolicy(
            self, "Callers", description="May kick off jobs, follow them, and read what came of them"
        )
        for caller in (callers, progress_api.function, functions.kick_off_job):
            event_log.grant_append(caller)
            event_log.grant_read(caller)
            read_model.grant_read(caller)
            payloads.grant_read(caller)
            payloads.grant_write(caller)
        callers.add_statements(
            iam.PolicyStatement(
                actions=["execute-api:Invoke"], resources=[progress_api.api.arn_for_execute_api()]
            )
        )

        self._chaining = Chaining(
            self,
            "Chaining",
            bus=bus,
            kick_off_job=functions.kick_off_job,
            failures=functions.failed_records,
        )
        self.on_job_completed, self.start_after = self._chaining.on_job_completed, self._chaining.start_after
        standstills = Standstills(
            self, "Standstills", functions=functions, stalled_after_seconds=config.stalled_after_seconds
        )
        event_log.grant_append(standstills.function)
        event_log.grant_read(standstills.function)
        read_model.grant_read(standstills.function)

        schedules = Schedules(self, "Schedules", config=config, functions=functions, bus=bus)
        payloads.grant_scheduled(functions.kick_off_job)
        for manager in (callers, progress_api.function):
            schedules.grant_manage(manager)
            payloads.grant_scheduled(manager)

        settings = schedules.known_to(settings.model_copy(update={"api_url": progress_api.api.url}))
        for name, value in settings.to_outputs().items():
            CfnOutput(self, name, value=value)
        CfnOutput(self, "CallerPolicy", value=callers.managed_policy_arn)
