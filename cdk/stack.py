"""The stack of one environment: its parts and its outputs."""

from importlib.metadata import version
from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from background_jobs.settings import Settings, output_name
from cdk.callers import Callers
from cdk.config import EnvironmentConfig
from cdk.control_plane import ControlPlane
from cdk.functions import FunctionAssets, Functions
from cdk.job_services import JobServices
from cdk.kick_offs import KickOffs
from cdk.monitoring import Monitoring
from cdk.notifications import Notifications
from cdk.progress_api import ProgressApi
from cdk.shared import SharedResources
from cdk.stalls import Stalls


class BackgroundJobsStack(Stack):
    """Everything that one environment needs; its outputs are the settings of the SDK."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: EnvironmentConfig,
        assets: FunctionAssets,
        **options: Any,  # noqa: ANN401 -- those of every stack
    ) -> None:
        super().__init__(scope, construct_id, **options)
        shared = SharedResources(self, "Shared", config=config)
        services = JobServices(self, "Services", shared=shared)
        functions = Functions(self, "Functions", shared=shared, assets=assets)
        control_plane = ControlPlane(
            self, "ControlPlane", shared=shared, services=services, functions=functions
        )
        progress_api = ProgressApi(self, "ProgressApi", shared=shared, services=services, functions=functions)
        kick_offs = KickOffs(
            self, "KickOffs", shared=shared, functions=functions, stream=control_plane.stream
        )
        self.on_job_completed = kick_offs.next_stages.on_job_completed
        self.start_after = kick_offs.next_stages.start_after
        Stalls(
            self,
            "Stalls",
            shared=shared,
            functions=functions,
            services=services,
            failures=control_plane.stream.end,
        )
        if config.notifications:
            Notifications(
                self,
                "Notifications",
                shared=shared,
                functions=functions,
                stream=control_plane.stream,
                console_url=progress_api.console_url,
            )
        callers = Callers(
            self,
            "Callers",
            shared=shared,
            schedules=kick_offs.schedules,
            progress_api=progress_api,
            control_plane=control_plane,
            services=services,
            functions=functions,
        )
        if config.monitored:
            Monitoring(
                self,
                "Monitoring",
                config=config,
                control_plane=control_plane,
                functions=functions,
                progress_api=progress_api,
            )
        addresses = {"api_url": progress_api.api.url.rstrip("/")}
        if progress_api.sign_in is not None:
            addresses["console_url"] = progress_api.console_url
        settings = shared.settings.model_copy(update=addresses)
        CfnOutput(self, "ClusterName", value=services.cluster_name)
        self._add_outputs(kick_offs.schedules.with_schedules(settings), callers)

    def _add_outputs(self, settings: Settings, callers: Callers) -> None:
        for name, value in settings.to_outputs().items():
            CfnOutput(self, name, value=value)
        # It is no setting: whoever examines the environment reads it.
        CfnOutput(self, "Version", value=version("background-job-service"))
        CfnOutput(self, "CallerPolicy", value=callers.callers.managed_policy_arn)
        for service, policy in callers.of_services.items():
            CfnOutput(
                self,
                output_name(f"caller_policy_of_{service.replace('-', '_')}"),
                value=policy.managed_policy_arn,
            )
        CfnOutput(self, "OperatorPolicy", value=callers.operators.managed_policy_arn)
