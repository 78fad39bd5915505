"""The CDK app: `npx aws-cdk@2.1148.1 deploy -c environment=prod`; `-c first=yes` for the first time."""

import sys

from cdk.dependencies import DependenciesNotInstalled
from cdk.environment_loading import InvalidEnvironment, load_environment, load_first
from cdk.synthesis import (
    TooManyResources,
    add_stack,
    build_layer,
    check_rules,
    use_bundled_node,
    write_assembly,
)

use_bundled_node()

from aws_cdk import App


def main() -> None:
    """Synthesize the environment that the context names."""
    app = App()
    check_rules(app)
    name = app.node.try_get_context("environment")
    config = load_first(app.node.try_get_context("first"), load_environment("dev" if name is None else name))
    add_stack(app, config, build_layer(config))
    write_assembly(app, config)


if __name__ == "__main__":
    try:
        main()
    except (InvalidEnvironment, TooManyResources, DependenciesNotInstalled) as refused:
        sys.exit(f"Error: {refused}")
