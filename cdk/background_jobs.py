"""One environment as a construct: for a stack that has nothing else, or as a part of a team's own."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Final, Protocol

from aws_cdk import CfnOutput
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from constructs import Construct

from background_jobs.cdk.callers import Callers
from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.control_plane import ControlPlane
from background_jobs.cdk.function_assets import FunctionAssets, build_assets
from background_jobs.cdk.functions import Functions
from background_jobs.cdk.job_services import JobServices
from background_jobs.cdk.kick_offs import KickOffs
from background_jobs.cdk.monitoring import Monitoring
from background_jobs.cdk.notifications import Notifications
from background_jobs.cdk.progress_api import ProgressApi
from background_jobs.cdk.shared import SharedResources
from background_jobs.cdk.stalls import Stalls
from background_jobs.core.completion import OrchestrationOutcome
from background_jobs.core.stages import Stage
from background_jobs.settings import Settings, output_name

_DISTRIBUTION: Final = "background-job-service"


class TakesVariables(Protocol):
    """What variables can be added to: a function of Lambda, or a container definition of ECS."""

    def add_environment(self, name: str, value: str, /) -> object:
        """Add one variable."""


class BackgroundJobs(Construct):
    """Everything that one environment needs, with grants for callers of the team's own.

    ``config`` says what is deployed. ``vpc`` is the network of the containers, whose private subnets need NAT
    or endpoints, in place of ``config.network``; ``bus`` takes the events, in place of a bus that is made.
    Raises ValueError if *config* names another network or bus as well.
    """

    def __init__(  # noqa: PLR0913 -- what a team may bring
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: EnvironmentConfig,
        vpc: ec2.IVpc | None = None,
        bus: events.IEventBus | None = None,
        assets: FunctionAssets | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        _refuse_two("vpc", "network", vpc, config)
        _refuse_two("bus", "event_bus", bus, config)
        shared = SharedResources(self, "Shared", config=config, bus=bus)
        services = JobServices(self, "Services", shared=shared, vpc=vpc)
        functions = Functions(self, "Functions", shared=shared, assets=assets or build_assets(self, config))
        control_plane = ControlPlane(
            self, "ControlPlane", shared=shared, services=services, functions=functions
        )
        progress_api = ProgressApi(self, "ProgressApi", shared=shared, services=services, functions=functions)
        kick_offs = KickOffs(
            self, "KickOffs", shared=shared, functions=functions, stream=control_plane.stream
        )
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
        self._callers = Callers(
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
        self._shared, self._services = shared, services
        self._progress_api, self._kick_offs = progress_api, kick_offs
        self.bus = shared.bus
        """Where JobCompletedEvent and the other events are published."""
        self.caller_policy = self._callers.callers
        """May kick off, schedule, follow and cancel jobs of every service, and use the API."""
        self.operator_policy = self._callers.operators
        """May examine the environment, rebuild read models, and redrive what was not taken."""

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables from which `OrchestrationService()` takes its settings."""
        return self._shared.settings.to_env()

    def add_environment(self, to: TakesVariables) -> None:
        """Set these variables of a function or container."""
        for name, value in self.environment.items():
            to.add_environment(name, value)

    def grant_kick_off(self, to: iam.IGrantable, service: str | None = None) -> None:
        """Let *to* kick off jobs of *service*, by default of all services, and no more than that.

        Whoever waits for them, reads results or cancels needs `grant_read` as well.
        """
        self._shared.storage.grant_start(to, self._known(service))

    def grant_read(self, to: iam.IGrantable, service: str | None = None) -> None:
        """Let *to* follow jobs of *service*, by default of all, and read params, outcomes and logs.

        One service's readers do not list orchestrations, for the history has those of all services.
        """
        self._shared.storage.grant_follow(to, self._known(service))
        if service is None:
            self._services.grant_read_logs(to)
        else:
            self._services.grant_read_log(to, service)

    def on_job_completed(
        self,
        construct_id: str,
        target: events.IRuleTarget,
        *,
        job_name: str | None = None,
        outcome: OrchestrationOutcome | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> events.Rule:
        """Add a rule that tells *target* of completions: all, or those of a job, an outcome, or tags."""
        return self._kick_offs.next_stages.on_job_completed(
            construct_id, target, job_name=job_name, outcome=outcome, tags=tags
        )

    def start_after(
        self,
        construct_id: str,
        *,
        job_name: str,
        stage: Stage,
        outcome: OrchestrationOutcome | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> events.Rule:
        """Add a rule that starts *stage* when an orchestration of *job_name* has completed.

        Raises ValueError if the stage is of the same job, for then it would follow itself for ever.
        """
        return self._kick_offs.next_stages.start_after(
            construct_id, job_name=job_name, stage=stage, outcome=outcome, tags=tags
        )

    def add_outputs(self) -> None:
        """Make the SDK's settings outputs of the stack, each by its name; a stack has one environment's."""
        for name, value in self._outputs().items():
            CfnOutput(self, name, value=value).override_logical_id(name)

    def _outputs(self) -> dict[str, str]:
        policies = {
            output_name(f"caller_policy_of_{service.replace('-', '_')}"): policy.managed_policy_arn
            for service, policy in self._callers.of_services.items()
        }
        return {
            "ClusterName": self._services.cluster_name,
            **self._settings.to_outputs(),
            # It is no setting: whoever examines the environment reads it.
            "Version": version(_DISTRIBUTION),
            "CallerPolicy": self.caller_policy.managed_policy_arn,
            **policies,
            "OperatorPolicy": self.operator_policy.managed_policy_arn,
        }

    @property
    def _settings(self) -> Settings:
        """Return the settings of those who may use everything: with the API, and what schedules need."""
        addresses = {"api_url": self._progress_api.api.url.rstrip("/")}
        if self._progress_api.sign_in is not None:
            addresses["console_url"] = self._progress_api.console_url
        settings = self._shared.settings.model_copy(update=addresses)
        return self._kick_offs.schedules.with_schedules(settings)

    def _known(self, service: str | None) -> str | None:
        names = self._shared.settings.service_names
        if service is not None and service not in names:
            raise ValueError(f"there is no service {service!r} in this environment, but {', '.join(names)}")
        return service


def _refuse_two(argument: str, field: str, given: object, config: EnvironmentConfig) -> None:
    if given is not None and field in config.model_fields_set:
        raise ValueError(
            f"environment {config.environment!r} sets {field}, and {argument}= is given as well; "
            "leave one of them out"
        )
