"""Synthesizing environments, held to AWS's own rules."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.node import use_bundled_node
from background_jobs.core.containers.variables import stack_name
from background_jobs.package_files import lambda_code

if TYPE_CHECKING:
    from aws_cdk import App
    from aws_cdk.cx_api import CloudAssembly

    from background_jobs.cdk.stack import BackgroundJobsStack

_TOO_MANY: Final = re.compile(r"Number of resources in stack .*: (\d+) is greater than .* maximum of (\d+)")
_OF_A_SERVICE: Final = 5
"""The resources of a service: its task definition, two roles, log and the policy of its callers."""


class TooManyResources(Exception):
    """An environment needs more resources than CloudFormation takes in one stack."""

    def __init__(self, config: EnvironmentConfig, needed: int, most: int) -> None:
        self.needed, self.most = needed, most
        services = len(config.services)
        fitting = services + (most - needed) // _OF_A_SERVICE
        super().__init__(
            f"environment {config.environment!r} needs {needed} resources, and CloudFormation takes {most} "
            + (f"in a stack: {fitting} services fit, not {services}; " if fitting > 0 else "in a stack; ")
            + "use several environments."
        )


def add_stack(
    app: "App", config: EnvironmentConfig, dependencies: Path | None = None
) -> "BackgroundJobsStack":
    """Add the stack of one environment, and return it; without a layer *dependencies* one is built."""
    from background_jobs.cdk.function_assets import FunctionAssets
    from background_jobs.cdk.stack import BackgroundJobsStack

    assets = None if dependencies is None else FunctionAssets(lambda_code(), dependencies)
    return BackgroundJobsStack(app, stack_name(config.environment), config=config, assets=assets)


def write_assembly(app: "App", config: EnvironmentConfig) -> "CloudAssembly":
    """Synthesize *app*, which has the stack of *config*; raises TooManyResources."""
    try:
        return app.synth()
    except RuntimeError as refused:
        if counted := _TOO_MANY.search(str(refused)):
            raise TooManyResources(config, *map(int, counted.groups())) from None
        raise


def check_rules(app: "App") -> None:
    """Check *app* against AWS's own rules (cdk-nag) while it is synthesized; a finding stops synthesis."""
    from aws_cdk import Validations
    from cdk_nag import AwsSolutionsChecks

    Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def synthesize(
    config: EnvironmentConfig,
    dependencies: Path | None = None,
    *,
    checked: bool = False,
    outdir: str | None = None,
) -> dict[str, Any]:
    """Synthesize one environment into *outdir*, by default a temporary folder, and return its template.

    *checked* says whether to apply AWS's rules; without a layer *dependencies* one is built.
    """
    use_bundled_node()
    from aws_cdk import App

    app = App(analytics_reporting=False, outdir=outdir)
    if checked:
        check_rules(app)
    stack = add_stack(app, config, dependencies)
    template: dict[str, Any] = write_assembly(app, config).get_stack_by_name(stack.stack_name).template
    return template
