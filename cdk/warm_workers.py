"""Warm workers: the queue of their shares, the ECS service that keeps them, and who may do what with them."""

from collections.abc import Sequence
from typing import NamedTuple

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from background_jobs.cdk.acknowledgements import acknowledge, acknowledge_wildcard
from background_jobs.cdk.network import Network
from background_jobs.cdk.service_config import ServiceConfig
from background_jobs.core.containers.capacity import ON_DEMAND, is_fargate
from background_jobs.core.containers.variables import task_family
from background_jobs.core.containers.warm import HIDDEN_SECONDS, warm_service
from background_jobs.core.limits import CONTAINER_SECONDS, DAY_SECONDS

_KEPT: Duration = Duration.days(CONTAINER_SECONDS // DAY_SECONDS + 1)
"""How long messages are kept: as long as a container may work, for so long its message counts it as busy."""


class Place(NamedTuple):
    """Where containers run."""

    cluster: ecs.CfnCluster
    network: Network

    @property
    def tasks(self) -> str:
        """Return the ARN of all tasks of the cluster."""
        return self._in_cluster("task")

    @property
    def services(self) -> str:
        """Return the ARN of all services of the cluster."""
        return self._in_cluster("service")

    def _in_cluster(self, resource: str) -> str:
        return Stack.of(self.cluster).format_arn(
            service="ecs", resource=resource, resource_name=f"{self.cluster.ref}/*"
        )


def offer_queue(scope: Construct, name: str) -> sqs.Queue:
    """Make the queue of the shares that are offered to the workers of a service."""
    queue = sqs.Queue(
        scope,
        "WarmQueue",
        queue_name=name,
        # It has ids and tokens that are worth nothing once a share has ended, and nothing of params.
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        visibility_timeout=Duration.seconds(HIDDEN_SECONDS),
        retention_period=_KEPT,
    )
    acknowledge(queue, "SQS3", "A share that no worker takes is launched as a task.")
    return queue


def let_serve(role: iam.Role, queue: sqs.Queue, place: Place) -> None:
    """Let containers of *role* take shares, tell how they ended, and keep themselves from being stopped."""
    for actions, resource in (
        (["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"], queue.queue_arn),
        # They go by the token, which only the worker has that was given the message.
        (["states:SendTaskSuccess", "states:SendTaskFailure", "states:SendTaskHeartbeat"], "*"),
        (["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"], place.tasks),
    ):
        role.add_to_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
    acknowledge_wildcard(role, "*", "Tasks of Step Functions are named by their tokens alone.")


def keep_warm_workers(
    scope: Construct, definition: ecs.TaskDefinition, config: ServiceConfig, place: Place
) -> None:
    """Keep containers of *definition* running that have no share, and so take those that are offered."""
    network = place.network.awsvpc
    strategy = ecs.CfnService.CapacityProviderStrategyItemProperty(capacity_provider=config.runs_on, weight=1)
    on_demand = config.runs_on == ON_DEMAND
    service = ecs.CfnService(
        scope,
        "WarmWorkers",
        cluster=place.cluster.ref,
        service_name=warm_service(config.name, config.runs_on),
        task_definition=definition.task_definition_arn,
        # What varies is left as it is by a deployment; a new service begins with one.
        desired_count=config.warm.count if config.warm.is_constant else None,
        launch_type=ON_DEMAND if on_demand else None,
        capacity_provider_strategy=None if on_demand else [strategy],
        platform_version=config.platform_version if is_fargate(config.runs_on) else None,
        network_configuration=ecs.CfnService.NetworkConfigurationProperty(
            awsvpc_configuration=ecs.CfnService.AwsVpcConfigurationProperty(
                subnets=network["Subnets"],
                security_groups=network["SecurityGroups"],
                assign_public_ip=network["AssignPublicIp"],
            )
        ),
        propagate_tags="TASK_DEFINITION",
        deployment_configuration=ecs.CfnService.DeploymentConfigurationProperty(
            # A main that cannot be loaded ends the deployment, not after three hours.
            deployment_circuit_breaker=ecs.CfnService.DeploymentCircuitBreakerProperty(
                enable=True, rollback=True
            ),
            minimum_healthy_percent=100,
            maximum_percent=200,
        ),
    )
    service.node.add_dependency(place.network)


class WarmResources(Construct):
    """What all services with warm workers share: one policy for their queues, and the permissions for them.

    They are by prefix, whatever the number of services, as those to run tasks are.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: str,
        place: Place,
        queues: Sequence[sqs.Queue],
    ) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        self._queues = stack.format_arn(
            service="sqs", resource=task_family(environment, "*"), arn_format=ArnFormat.NO_RESOURCE_NAME
        )
        self._services = place.services
        acknowledge_wildcard(stack, self._queues, "The names of the queues would fill a policy.")
        acknowledge_wildcard(stack, self._services, "The names of the services would fill a policy.")
        sqs.CfnQueuePolicy(
            self,
            "OverTls",
            queues=[queue.queue_url for queue in queues],
            policy_document=iam.PolicyDocument(
                statements=[
                    iam.PolicyStatement(
                        effect=iam.Effect.DENY,
                        principals=[iam.AnyPrincipal()],
                        actions=["sqs:*"],
                        resources=[self._queues],
                        conditions={"Bool": {"aws:SecureTransport": "false"}},
                    )
                ]
            ),
        )

    def grant_offer(self, to: iam.IGrantable) -> None:
        """Let *to* send messages to the queues."""
        self._allow(to, ["sqs:SendMessage"], self._queues)

    def grant_count_idle(self, to: iam.IGrantable) -> None:
        """Let *to* find out how many workers run, and how many shares they have."""
        self._allow(to, ["sqs:GetQueueUrl", "sqs:GetQueueAttributes"], self._queues)
        self._allow(to, ["ecs:DescribeServices"], self._services)

    def grant_keep(self, to: iam.IGrantable) -> None:
        """Let *to* say how many workers are kept."""
        self._allow(to, ["ecs:DescribeServices", "ecs:UpdateService"], self._services)

    @staticmethod
    def _allow(to: iam.IGrantable, actions: list[str], resource: str) -> None:
        to.grant_principal.add_to_principal_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
