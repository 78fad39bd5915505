"""The network of the containers: subnets, a security group, and the endpoints that stand in for NAT."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from background_jobs.cdk.acknowledgements import acknowledge
from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.network_config import ExistingSubnets, ExistingVpc, NewVpc
from background_jobs.cdk.service_config import ServiceConfig

_EVERY_CONTAINER: Final = ("ecr.api", "ecr.dkr", "logs")
"""The services that Fargate calls from a container's subnet, to pull its image and write its log."""


class Network(Construct):
    """The network of tasks; *awsvpc* is its configuration for ECS."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: EnvironmentConfig,
        vpc: ec2.IVpc | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        if vpc is not None:
            self.awsvpc = self._in(vpc, public=False)
            return
        match config.network:
            case NewVpc() as new:
                made = self._made(new, config.services)
                self.awsvpc = self._in(made, public=not new.private)
            case ExistingVpc() as existing:
                looked_up = ec2.Vpc.from_lookup(self, "Vpc", vpc_id=existing.vpc_id)
                self.awsvpc = self._in(looked_up, public=existing.public)
            case ExistingSubnets() as subnets:
                self.awsvpc = _awsvpc(subnets.subnet_ids, subnets.security_group_id, public=subnets.public)

    def _in(self, vpc: ec2.IVpc, *, public: bool) -> dict[str, Any]:
        chosen = vpc.public_subnets if public else vpc.private_subnets or vpc.isolated_subnets
        group = ec2.SecurityGroup(self, "Outbound", vpc=vpc, description="Job containers: outbound only")
        return _awsvpc([one.subnet_id for one in chosen], group.security_group_id, public=public)

    def _made(self, network: NewVpc, services: Iterable[ServiceConfig]) -> ec2.Vpc:
        kind = ec2.SubnetType.PRIVATE_ISOLATED if network.private else ec2.SubnetType.PUBLIC
        vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=network.zones,
            nat_gateways=0,
            subnet_configuration=[ec2.SubnetConfiguration(name="Containers", subnet_type=kind)],
            gateway_endpoints={
                "DynamoDb": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.DYNAMODB),
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
            },
            restrict_default_security_group=False,
        )
        acknowledge(vpc, "VPC7", "Containers only call out; for flow logs, bring a VPC that has them.")
        if network.private:
            self._reach_services(
                vpc,
                [*_EVERY_CONTAINER, *_of_secrets(services), *_of_warm_workers(services), *network.endpoints],
            )
        return vpc

    def _reach_services(self, vpc: ec2.Vpc, names: Iterable[str]) -> None:
        for name in dict.fromkeys(names):
            endpoint = vpc.add_interface_endpoint(
                f"Endpoint-{name}", service=ec2.InterfaceVpcEndpointAwsService(name)
            )
            acknowledge(endpoint, "EC23", "Only the VPC's own addresses reach it.")


def _of_secrets(services: Iterable[ServiceConfig]) -> list[str]:
    """Return the services from which ECS fetches the secrets of *services*."""
    return sorted({arn.split(":")[2] for service in services for arn in service.secrets.values()})


def _of_warm_workers(services: Iterable[ServiceConfig]) -> list[str]:
    """Return the services that warm workers call, where *services* have some."""
    return ["sqs", "states"] if any(service.warm.count for service in services) else []


def _awsvpc(subnet_ids: Sequence[str], security_group_id: str, *, public: bool) -> dict[str, Any]:
    return {
        "Subnets": list(subnet_ids),
        "SecurityGroups": [security_group_id],
        # Without a public address, a container in a public subnet reaches nothing outside of it.
        "AssignPublicIp": "ENABLED" if public else "DISABLED",
    }
