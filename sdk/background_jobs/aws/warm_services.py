"""The services in ECS that keep warm workers running."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from background_jobs.aws.clients import reaching_aws

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient


class WarmServiceState(NamedTuple):
    """What ECS says of a service."""

    desired: int
    running: Mapping[str, int]
    """How many workers run, by their revision: ``family:7``."""


class WarmServices:
    """The services of one cluster."""

    def __init__(self, ecs: "ECSClient", cluster: str) -> None:
        self._ecs = ecs
        self._cluster = cluster

    @reaching_aws
    def find(self, name: str) -> WarmServiceState | None:
        """Return the state of a service; None where there is none of this name."""
        answer = self._ecs.describe_services(cluster=self._cluster, services=[name])
        for service in answer["services"]:
            if service.get("status") != "ACTIVE":
                continue
            running: dict[str, int] = {}
            for deployment in service.get("deployments", []):
                revision = deployment.get("taskDefinition", "").rpartition("/")[2]
                running[revision] = running.get(revision, 0) + deployment.get("runningCount", 0)
            return WarmServiceState(service.get("desiredCount", 0), running)
        return None

    @reaching_aws
    def keep(self, name: str, count: int) -> None:
        """Have a service keep *count* workers running."""
        self._ecs.update_service(cluster=self._cluster, service=name, desiredCount=count)
