"""The environments and their services; `-c environment=NAME` picks one, `dev` by default."""

from typing import Final

from background_jobs.cdk import EnvironmentConfig, ServiceConfig

FINGERPRINT: Final = ServiceConfig(
    name="default", image=".", dockerfile="job_container/Dockerfile", jobs=("fingerprint",)
)
"""Built from job_container/Dockerfile; its jobs are in job_container/jobs.py."""

ENVIRONMENTS: Final = (
    EnvironmentConfig(
        environment="dev",
        services=(FINGERPRINT,),
        event_bus="background-jobs-dev",
        keep_data=False,
    ),
    EnvironmentConfig(environment="prod", services=(FINGERPRINT,)),
    EnvironmentConfig(
        environment="local",
        services=(ServiceConfig(name="default", image="background-jobs/local"),),
        retention_days=7,
        keep_data=False,
        # These have no meaning on an emulator, or do not work there.
        monitored=False,
        bundled=False,
    ),
)
"""`local` is the environment of the offline stack, and may be deployed to any emulator."""
