"""Capacity providers of ECS: on what the containers of a service run."""

from typing import Final

ON_DEMAND: Final = "FARGATE"
SPOT: Final = "FARGATE_SPOT"
LATEST: Final = "LATEST"
"""The platform version of Fargate that a service has unless it names one."""


def is_fargate(capacity_provider: str) -> bool:
    """Tell AWS's capacity providers from those that users make, whose names may not begin so.

    Source: Amazon ECS API Reference, "CreateCapacityProvider".

    >>> is_fargate("FARGATE_SPOT"), is_fargate("gpu-asg")
    (True, False)
    """
    return capacity_provider.startswith(ON_DEMAND)


def may_be_reclaimed(capacity_provider: str) -> bool:
    """Tell whether containers are lost that did nothing wrong: on Spot, and with hosts of the user's."""
    return capacity_provider != ON_DEMAND
