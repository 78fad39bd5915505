"""A CDK app with one environment that keeps its data; TRIAL_RETENTION_DAYS is what a later deployment changes."""

import os

from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.node import use_bundled_node
from background_jobs.cdk.service_config import ServiceConfig
from background_jobs.cdk.synthesis import add_stack


def main() -> None:
    """Synthesize the environment."""
    use_bundled_node()
    from aws_cdk import App

    app = App()
    trial = EnvironmentConfig(
        environment="trial",
        services=(ServiceConfig(name="default", image="registry.example/jobs:1"),),
        retention_days=int(os.environ["TRIAL_RETENTION_DAYS"]),
        customer_key=True,
        # The emulator has no alarms on sums of metrics, and its functions import what is installed there.
        monitored=False,
        bundled=False,
    )
    add_stack(app, trial)
    app.synth()


if __name__ == "__main__":
    main()
