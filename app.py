"""The CDK app: `npx aws-cdk@2.1148.1 deploy -c stage=prod`."""

from cdk.config import stage_named
from cdk.dependencies import build_dependencies
from cdk.synthesis import REPOSITORY, add_stack, use_bundled_node

use_bundled_node()

from aws_cdk import App  # noqa: E402 -- it needs Node

app = App()
config = stage_named(app.node.try_get_context("stage") or "dev")
add_stack(app, config, build_dependencies(REPOSITORY / "build" / "dependencies"))
app.synth()
