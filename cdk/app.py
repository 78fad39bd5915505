"""What an app.py calls: the CDK app that has one environment, picked by the context."""

import sys
from collections.abc import Sequence

from aws_cdk import App

from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.dependencies import DependenciesNotInstalled
from background_jobs.cdk.environment_loading import (
    InvalidEnvironment,
    find_environment,
    load_first,
    read_environments,
)
from background_jobs.cdk.synthesis import TooManyResources, add_stack, check_rules, write_assembly

_DEFAULT = "dev"


def synthesize_app(environments: Sequence[EnvironmentConfig] | None = None) -> None:
    """Synthesize the environment that ``-c environment=NAME`` names, by default ``dev``.

    *environments* are those to choose from; without them, ``ENVIRONMENTS`` of environments.py beside app.py.
    ``-c first=yes`` leaves out the protection from deletion. The stack is held to AWS's own rules (cdk-nag).
    What cannot be deployed ends the process with a sentence.
    """
    try:
        _synthesize(environments)
    except (InvalidEnvironment, TooManyResources, DependenciesNotInstalled) as refused:
        sys.exit(f"Error: {refused}")


def _synthesize(environments: Sequence[EnvironmentConfig] | None) -> None:
    app = App()
    check_rules(app)
    name = str(app.node.try_get_context("environment") or _DEFAULT)
    known = read_environments() if environments is None else environments
    config = load_first(app.node.try_get_context("first"), find_environment(name, known))
    add_stack(app, config)
    write_assembly(app, config)
