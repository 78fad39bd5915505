"""Where containers run: a cluster, its network, and a task definition for each service."""

from collections.abc import Iterable

from aws_cdk import Aws, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from background_jobs.core.naming import CONTAINER_NAME, task_family
from background_jobs.settings import Settings
from cdk.config import ServiceConfig
from cdk.event_log import EventLogTable
from cdk.payloads import PayloadBucket


class JobServices(Construct):
    """The cluster, and in it every service of the stage under its conventional family name."""

    def __init__(  # noqa: PLR0913 -- what a service is made of
        self,
        scope: Construct,
        construct_id: str,
        *,
        services: Iterable[ServiceConfig],
        settings: Settings,
        event_log: EventLogTable,
        payloads: PayloadBucket,
    ) -> None:
        super().__init__(scope, construct_id)
        self._stage = settings.stage
        vpc = ec2.Vpc(
            self,
            "Network",
            max_azs=2,
            nat_gateways=0,
            subnet_configuration=[ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC)],
            gateway_endpoints={
                "DynamoDb": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.DYNAMODB),
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
            },
            restrict_default_security_group=False,
        )
        self.subnet_ids = [subnet.subnet_id for subnet in vpc.public_subnets]
        self.security_group = ec2.SecurityGroup(self, "Outbound", vpc=vpc, description="Job containers")
        self.cluster = ecs.Cluster(self, "Cluster", vpc=vpc)
        self._task_role = iam.Role(
            self, "TaskRole", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com")
        )
        self._execution_role = iam.Role(
            self, "ExecutionRole", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com")
        )
        event_log.grant_append(self._task_role)
        event_log.grant_read(self._task_role)
        payloads.grant_read(self._task_role)
        payloads.grant_write(self._task_role)
        for service in services:
            self._define(service, settings.model_copy(update={"service": service.name}))

    def grant_stop(self, to: iam.IGrantable) -> None:
        """Let *to* find and stop tasks of this cluster."""
        in_this_cluster = {"ArnEquals": {"ecs:cluster": self.cluster.cluster_arn}}
        for statement in (
            # Listing is allowed or not for a cluster as a whole, not for its tasks.
            iam.PolicyStatement(actions=["ecs:ListTasks"], resources=["*"], conditions=in_this_cluster),
            iam.PolicyStatement(actions=["ecs:StopTask", "ecs:DescribeTasks"], resources=[self._tasks()]),
        ):
            to.grant_principal.add_to_principal_policy(statement)

    def grant_run(self, to: iam.IGrantable) -> None:
        """Let *to* run, watch and stop tasks of these services in this cluster, and pass them their roles."""
        stack = Stack.of(self)
        family = task_family(self._stage, "*")
        definitions = stack.format_arn(service="ecs", resource="task-definition", resource_name=f"{family}:*")
        rule = stack.format_arn(
            service="events", resource="rule", resource_name="StepFunctionsGetEventsForECSTaskRule"
        )
        in_this_cluster = {"ArnEquals": {"ecs:cluster": self.cluster.cluster_arn}}
        statements = [
            iam.PolicyStatement(actions=["ecs:RunTask"], resources=[definitions], conditions=in_this_cluster),
            iam.PolicyStatement(actions=["ecs:StopTask", "ecs:DescribeTasks"], resources=[self._tasks()]),
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[self._task_role.role_arn, self._execution_role.role_arn],
                conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            ),
            # How Step Functions hears that a task of `runTask.sync` has stopped.
            iam.PolicyStatement(
                actions=["events:PutTargets", "events:PutRule", "events:DescribeRule"], resources=[rule]
            ),
        ]
        for statement in statements:
            to.grant_principal.add_to_principal_policy(statement)

    def _tasks(self) -> str:
        name = f"{self.cluster.cluster_name}/*"
        return Stack.of(self).format_arn(service="ecs", resource="task", resource_name=name)

    def _define(self, service: ServiceConfig, settings: Settings) -> None:
        architecture = ecs.CpuArchitecture.ARM64 if service.arm64 else ecs.CpuArchitecture.X86_64
        definition = ecs.FargateTaskDefinition(
            self,
            f"Task-{service.name}",
            family=task_family(settings.stage, service.name),
            cpu=service.cpu,
            memory_limit_mib=service.memory_mib,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=architecture, operating_system_family=ecs.OperatingSystemFamily.LINUX
            ),
            task_role=self._task_role,
            execution_role=self._execution_role,
        )
        log = logs.LogGroup(
            self,
            f"Log-{service.name}",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
        )
        definition.add_container(
            CONTAINER_NAME,
            image=_image(service),
            environment=settings.to_env() | {"AWS_REGION": Aws.REGION},
            logging=ecs.LogDrivers.aws_logs(log_group=log, stream_prefix=service.name),
            readonly_root_filesystem=True,
        )


def _image(service: ServiceConfig) -> ecs.ContainerImage:
    is_folder = service.image.startswith(".")
    if is_folder:
        return ecs.ContainerImage.from_asset(service.image, file="job_container/Dockerfile")
    return ecs.ContainerImage.from_registry(service.image)
