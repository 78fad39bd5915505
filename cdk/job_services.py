"""Where containers run: a cluster, its network, and every service of the environment."""

from typing import Final

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from background_jobs.cdk.acknowledgements import acknowledge, acknowledge_wildcard
from background_jobs.cdk.job_service import JobService, role_path
from background_jobs.cdk.network import Network
from background_jobs.cdk.physical_names import name_prefix
from background_jobs.cdk.shared import SharedResources
from background_jobs.cdk.warm_workers import Place, WarmResources
from background_jobs.core.containers.capacity import ON_DEMAND, SPOT
from background_jobs.core.containers.variables import task_family

_READ_LOG: Final = ["logs:FilterLogEvents", "logs:GetLogEvents"]


class JobServices(Construct):
    """The cluster, and in it every service under its conventional family name."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        shared: SharedResources,
        vpc: ec2.IVpc | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        config = shared.config
        self.network = Network(self, "Network", config=config, vpc=vpc)
        self.capacity_providers = config.capacity_providers
        self.platform_versions = config.platform_versions
        # CDK's own construct would make a VPC even if only subnets are configured.
        self._cluster = ecs.CfnCluster(self, "Cluster")
        if self.capacity_providers:
            self._associate_providers()
        acknowledge(self._cluster, "ECS4", "The event log and our metrics tell about each container.")
        self.cluster_arn = self._cluster.attr_arn
        self.cluster_name = self._cluster.ref
        stack = Stack.of(self)
        place = Place(self._cluster, self.network)
        self.services = [
            JobService(self, service.name, shared=shared, config=service, place=place)
            for service in config.services
        ]
        self.warm_workers = config.warm_workers
        queues = [service.warm_queue for service in self.services if service.warm_queue]
        self._warm = (
            WarmResources(self, "Warm", environment=config.environment, place=place, queues=queues)
            if queues
            else None
        )
        self._roles = stack.format_arn(
            service="iam", region="", resource="role", resource_name=f"{role_path(config.environment)[1:]}*"
        )
        self._definitions = stack.format_arn(
            service="ecs",
            resource="task-definition",
            resource_name=f"{task_family(config.environment, '*')}:*",
        )
        self._tasks = stack.format_arn(service="ecs", resource="task", resource_name=f"{self._cluster.ref}/*")
        self._in_this_cluster = {"ArnEquals": {"ecs:cluster": self.cluster_arn}}
        self._logs = stack.format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"{name_prefix(self)}*:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        acknowledge_wildcard(
            stack, self._logs, "The logs of this construct, whose names CloudFormation ends."
        )
        acknowledge_wildcard(
            stack, self._definitions, "Each deployment makes another revision; names would fill a policy."
        )
        acknowledge_wildcard(
            stack, self._roles, "The path has the roles of this environment only; names would fill a policy."
        )
        acknowledge_wildcard(stack, self._tasks, "The names of tasks are made by ECS.")

    def _associate_providers(self) -> None:
        """Give the cluster its capacity providers after it was made, in a call of its own.

        They need ECS's own role (AWSServiceRoleForECS), which ECS makes with the first cluster of an account.
        A cluster that is made with them fails there. Source: Amazon ECS Developer Guide, "Using
        service-linked roles for Amazon ECS".
        """
        ecs.CfnClusterCapacityProviderAssociations(
            self,
            "Capacity",
            cluster=self._cluster.ref,
            capacity_providers=sorted({ON_DEMAND, SPOT, *self.capacity_providers.values()}),
            default_capacity_provider_strategy=[],
        )

    @property
    def varies_warm_workers(self) -> bool:
        """Return whether some service does not have as many warm workers at any time."""
        return any(not warm.is_constant for warm in self.warm_workers.values())

    def grant_offer(self, to: iam.IGrantable) -> None:
        """Let *to* offer shares to warm workers, where there are some."""
        if self._warm:
            self._warm.grant_offer(to)

    def grant_count_idle(self, to: iam.IGrantable) -> None:
        """Let *to* find out how many warm workers are idle, and wake them up where their number varies."""
        if self._warm:
            self._warm.grant_count_idle(to)
        self.grant_keep_warm(to)

    def grant_keep_warm(self, to: iam.IGrantable) -> None:
        """Let *to* say how many warm workers are kept, where that varies."""
        if self._warm and self.varies_warm_workers:
            self._warm.grant_keep(to)

    def grant_find_revision(self, to: iam.IGrantable) -> None:
        """Let *to* find the latest revision of a task definition."""
        # It cannot be allowed by resource.
        _allow(to, ["ecs:DescribeTaskDefinition"], ["*"])

    def grant_read_logs(self, to: iam.IGrantable) -> None:
        """Let *to* read what containers of these services write, and no other log.

        By the prefix that CloudFormation gives to the names of what is in this construct, for the names of
        many services would fill a policy. Source: AWS CloudFormation User Guide, "Resource identifiers".
        """
        _allow(to, _READ_LOG, [self._logs])

    def grant_read_log(self, to: iam.IGrantable, service: str) -> None:
        """Let *to* read what containers of one service write."""
        logs = [one.log.log_group_arn for one in self.services if one.node.id == service]
        _allow(to, _READ_LOG, logs)

    def grant_quote_logs(self, to: iam.IGrantable) -> None:
        """Let *to* read the end of such a log, which it finds by the task's definition."""
        self.grant_read_logs(to)
        self.grant_find_revision(to)

    def grant_stop(self, to: iam.IGrantable) -> None:
        """Let *to* find and stop tasks of this cluster."""
        # Listing can be allowed for a whole cluster only, not for single tasks.
        _allow(to, ["ecs:ListTasks"], ["*"], self._in_this_cluster)
        _allow(to, ["ecs:StopTask", "ecs:DescribeTasks"], [self._tasks])

    def grant_run(self, to: iam.IGrantable) -> None:
        """Let *to* run, watch and stop tasks of these services in this cluster, and pass them their roles.

        By prefix and path, whatever the number of services: all inline policies of a role have 10,240
        characters, and a managed one has 6,144. An environment whose name begins with this one's has the same
        prefix, but neither the cluster nor the path. Source: IAM User Guide, "IAM and AWS STS quotas".
        """
        rule = Stack.of(self).format_arn(
            service="events", resource="rule", resource_name="StepFunctionsGetEventsForECSTaskRule"
        )
        passed_to_ecs = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
        _allow(to, ["ecs:RunTask"], [self._definitions], self._in_this_cluster)
        _allow(to, ["ecs:StopTask", "ecs:DescribeTasks"], [self._tasks])
        # A task that is made with tags is authorised as tagging, too.
        _allow(to, ["ecs:TagResource"], [self._tasks], {"StringEquals": {"ecs:CreateAction": "RunTask"}})
        _allow(to, ["iam:PassRole"], [self._roles], passed_to_ecs)
        # Step Functions uses this rule to learn that a task of `runTask.sync` has stopped.
        _allow(to, ["events:PutTargets", "events:PutRule", "events:DescribeRule"], [rule])


def _allow(
    to: iam.IGrantable,
    actions: list[str],
    resources: list[str],
    conditions: dict[str, dict[str, str]] | None = None,
) -> None:
    to.grant_principal.add_to_principal_policy(
        iam.PolicyStatement(actions=actions, resources=resources, conditions=conditions)
    )
