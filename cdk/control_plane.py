"""The control plane: from an event in the log to its execution, its containers and its end."""

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from background_jobs.cdk.event_stream import EventStream
from background_jobs.cdk.fan_out import FanOut, ShareFunctions
from background_jobs.cdk.functions import Functions
from background_jobs.cdk.job_services import JobServices
from background_jobs.cdk.shared import SharedResources
from background_jobs.cdk.storage import Storage
from background_jobs.core.limits import STREAM_BATCH, STREAM_WINDOW_SECONDS
from background_jobs.settings import ExecutionSettings


class ControlPlane(Construct):
    """The functions that follow the event log, the state machine, and what each may do."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        shared: SharedResources,
        services: JobServices,
        functions: Functions,
    ) -> None:
        super().__init__(scope, construct_id)
        self._lists_in_file = shared.config.bundled
        self.start_orchestration = functions.function("start_orchestration", seconds=30)
        self.aggregate_jobs = functions.function("aggregate_jobs", seconds=120)
        self.close_unfinished = functions.function("close_unfinished", seconds=900)
        self.end_orchestration = functions.function("end_orchestration", seconds=900)
        self.note_delay = functions.function("note_delay", seconds=60)
        self.fan_out = FanOut(
            self,
            "FanOut",
            shared=shared,
            services=services,
            functions=ShareFunctions(self.close_unfinished, self.note_delay),
        )
        self.stream = EventStream(self, "Stream", shared=shared)
        self.stream.feed_appended(self.start_orchestration, batch_size=10, kind="OrchestrationStarted")
        self.stream.feed_changed(
            self.aggregate_jobs, batch_size=STREAM_BATCH, window=Duration.seconds(STREAM_WINDOW_SECONDS)
        )
        self.stream.keep_what_fails(self.end_orchestration)
        self.fan_out.end_by(self.end_orchestration, shared.bus, self.stream.end)

        storage = shared.storage
        storage.grant_aggregate(self.aggregate_jobs)
        shared.bus.grant_put_events_to(self.aggregate_jobs)
        storage.grant_close(self.close_unfinished)
        storage.grant_note(self.note_delay)
        services.grant_quote_logs(self.close_unfinished)
        services.grant_quote_logs(self.note_delay)
        self._let_start(self.start_orchestration, services)
        self._let_end(self.end_orchestration, services, storage)

    def _let_start(self, function: lambda_.Function, services: JobServices) -> None:
        self._give_arns(function, services)
        self.fan_out.grant_start(function)
        services.grant_find_revision(function)
        services.grant_count_idle(function)

    def _let_end(self, function: lambda_.Function, services: JobServices, storage: Storage) -> None:
        self._give_arns(function, services)
        self.fan_out.grant_stop(function)
        services.grant_stop(function)
        storage.grant_close(function)

    def _give_arns(self, function: lambda_.Function, services: JobServices) -> None:
        """Give a function that starts or ends executions the ARNs of state machine and cluster."""
        execution = ExecutionSettings(
            state_machine_arn=self.fan_out.state_machine.state_machine_arn,
            cluster_arn=services.cluster_arn,
            capacity_providers=services.capacity_providers,
            platform_versions=services.platform_versions,
            warm_workers=services.warm_workers,
        )
        variables = execution.scalars_to_env() if self._lists_in_file else execution.to_env()
        for name, value in variables.items():
            function.add_environment(name, value)
