"""The names on which stack, state machine, containers and commands agree."""

from typing import Final

CONTAINER_NAME: Final = "job"
"""The one container of every task definition; the state machine overrides its variables by this name."""

JOB_NAME: Final = "JOB_NAME"
ORCHESTRATION_ID: Final = "ORCHESTRATION_ID"
JOB_ID: Final = "JOB_ID"
JOB_SHARE: Final = "JOB_SHARE"
JOB_INDICES: Final = "JOB_INDICES"
JOB_PARAMS_KEY: Final = "JOB_PARAMS_KEY"
JOB_PARAMS_BYTES: Final = "JOB_PARAMS_BYTES"
"""The variables that the state machine injects into a container (docs/containers.md)."""
SHARE_VARIABLES: Final = frozenset(
    {JOB_NAME, ORCHESTRATION_ID, JOB_ID, JOB_SHARE, JOB_INDICES, JOB_PARAMS_KEY, JOB_PARAMS_BYTES}
)


VARIABLE_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
"""What the variables of their own are named that containers are given, on AWS and offline (a pattern)."""


def task_family(environment: str, service: str) -> str:
    """Return the task definition family that runs the jobs of *service* in *environment*.

    >>> task_family("prod", "billing")
    'background-jobs-prod-billing'
    """
    return f"background-jobs-{environment}-{service}"


LOCAL: Final = "local"
"""The name of the environment that the offline stack is."""
TWIN: Final = "twin"
"""The name of the environment that a twin is, which stands for AWS in the process of a test."""


def stack_name(environment: str) -> str:
    """Return the name of the stack of *environment*.

    >>> stack_name("prod")
    'background-jobs-prod'
    """
    return f"background-jobs-{environment}"
