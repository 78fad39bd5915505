"""The stack of one environment, whose outputs are the settings of the SDK."""

from typing import Any

from aws_cdk import DefaultStackSynthesizer, Environment, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from constructs import Construct

from background_jobs.cdk.background_jobs import BackgroundJobs
from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.function_assets import FunctionAssets
from background_jobs.core.containers.variables import stack_name


class BackgroundJobsStack(Stack):
    """A stack with one environment, and nothing else.

    It is named ``background-jobs-<environment>``, in the account and region of *config*; *options* are those
    of every stack, and change that. *vpc* and *bus* are those of `BackgroundJobs`, which *jobs* is.
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
        **options: Any,  # noqa: ANN401 -- those of every stack
    ) -> None:
        super().__init__(scope, construct_id, **(_options_of(config) | options))
        # An id that has no part in the names of resources.
        self.jobs = BackgroundJobs(self, "Default", config=config, vpc=vpc, bus=bus, assets=assets)
        self.jobs.add_outputs()


def _options_of(config: EnvironmentConfig) -> dict[str, Any]:
    """Return the options of a stack that follow from *config*."""
    return {
        "stack_name": stack_name(config.environment),
        "description": f"Background Job Service, environment {config.environment}",
        "env": Environment(account=config.account, region=config.region),
        "termination_protection": config.deletion_protection,
        # CloudFormation takes 1 MB, of which indentation would be a quarter.
        "suppress_template_indentation": True,
        # The rule needs a parameter of a bootstrapped account; without it, the deployment fails by itself.
        "synthesizer": DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
    }
