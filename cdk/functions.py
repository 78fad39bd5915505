"""The Lambda functions: one code folder, one layer of dependencies, a role and a log for each."""

from collections.abc import Mapping, Sequence
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from background_jobs.cdk.acknowledgements import acknowledge_wildcard
from background_jobs.cdk.function_assets import FunctionAssets
from background_jobs.cdk.settings_layer import SettingsLayer
from background_jobs.cdk.shared import SharedResources
from background_jobs.core.metrics import METRIC_SERVICE, metric_namespace
from background_jobs.settings import ExecutionSettings

_RUNTIME: Final = lambda_.Runtime.PYTHON_3_14


class Functions(Construct):
    """Makes the functions of an environment, and lists them."""

    def __init__(
        self, scope: Construct, construct_id: str, *, shared: SharedResources, assets: FunctionAssets
    ) -> None:
        super().__init__(scope, construct_id)
        self.all: list[lambda_.Function] = []
        self._code = lambda_.Code.from_asset(str(assets.code), exclude=["**/__pycache__"])
        self._layer = lambda_.LayerVersion(
            self,
            "Dependencies",
            code=lambda_.Code.from_asset(str(assets.dependencies)),
            compatible_architectures=[lambda_.Architecture.ARM_64],
            compatible_runtimes=[_RUNTIME],
        )
        self._shared = shared
        self._layers: list[lambda_.ILayerVersion] = [self._layer]
        self._settings = shared.settings.to_env()
        if shared.config.bundled:
            self._move_lists()

    def _move_lists(self) -> None:
        """Put the settings that grow into a layer; an emulator's functions need none, and have no limit."""
        settings = self._shared.settings
        config = self._shared.config
        execution = ExecutionSettings(
            state_machine_arn="",
            cluster_arn="",
            capacity_providers=config.capacity_providers,
            platform_versions=config.platform_versions,
            warm_workers=config.warm_workers,
        )
        moved = SettingsLayer(self, "Settings", settings=settings, execution=execution)
        self._layers.append(moved.layer)
        self._settings = settings.scalars_to_env() | moved.variables

    def function(  # noqa: PLR0913 -- what differs between functions
        self,
        name: str,
        *,
        seconds: int,
        handler: str | None = None,
        layers: Sequence[lambda_.ILayerVersion] = (),
        variables: Mapping[str, str] | None = None,
        concurrency: int | None = None,
    ) -> lambda_.Function:
        """Make the function whose code is in ``lambdas/<name>``, with a log and a role of its own.

        It runs at most *concurrency* times at once, if that is given.
        """
        title = "".join(part.capitalize() for part in name.split("_"))
        log = self._shared.logs.group(self, f"{title}Log")
        function = lambda_.Function(
            self,
            title,
            runtime=_RUNTIME,
            architecture=lambda_.Architecture.ARM_64,
            handler=handler or f"{name}.handler.handler",
            code=self._code,
            layers=[*self._layers, *layers],
            environment={
                **self._settings,
                "POWERTOOLS_SERVICE_NAME": METRIC_SERVICE,
                "POWERTOOLS_METRICS_NAMESPACE": metric_namespace(self._shared.config.environment),
                # The name of the caller in user agents, for example in CloudTrail.
                "AWS_SDK_UA_APP_ID": name,
                **(variables or {}),
            },
            memory_size=self._shared.config.function_memory_mib,
            timeout=Duration.seconds(seconds),
            reserved_concurrent_executions=concurrency,
            tracing=lambda_.Tracing.ACTIVE,
            log_group=log,
            role=self._role(title, log),
        )
        self.all.append(function)
        return function

    def _role(self, title: str, log: logs.LogGroup) -> iam.Role:
        """Make a role that may write its own log and its traces; the managed policy would allow every log."""
        role = iam.Role(self, f"{title}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log.grant_write(role)
        acknowledge_wildcard(role, "*", "Traces, streams and lists of tasks cannot be allowed by resource.")
        return role
