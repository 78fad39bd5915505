"""The CDK app: `npx aws-cdk@2.1148.1 deploy --app "python app.py" -c stage=prod`."""

from cdk.synthesis import REPOSITORY, use_bundled_node

use_bundled_node()

from aws_cdk import App  # noqa: E402 -- it needs Node

from cdk.config import stage_named  # noqa: E402
from cdk.dependencies import build_dependencies  # noqa: E402
from cdk.stack import BackgroundJobsStack  # noqa: E402

app = App()
config = stage_named(app.node.try_get_context("stage") or "dev")
BackgroundJobsStack(
    app,
    f"background-jobs-{config.stage}",
    config=config,
    code=str(REPOSITORY / "lambdas"),
    dependencies=str(build_dependencies(REPOSITORY / "build" / "dependencies")),
    description="Background Job Service",
)
app.synth()
