"""One service: its task definition, its two roles and its log."""

from aws_cdk import (
    Annotations,
    Arn,
    ArnComponents,
    ArnFormat,
    Aws,
    CfnDeletionPolicy,
    Duration,
    Size,
    Stack,
    Tags,
)
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk.aws_ecr_assets import Platform
from constructs import Construct

from background_jobs.cdk.acknowledgements import acknowledge, acknowledge_wildcard
from background_jobs.cdk.builder import explain_foreign_build
from background_jobs.cdk.service_config import EcrImage, ServiceConfig
from background_jobs.cdk.shared import SharedResources
from background_jobs.cdk.warm_workers import Place, keep_warm_workers, let_serve, offer_queue
from background_jobs.core.containers.capacity import ON_DEMAND
from background_jobs.core.containers.variables import CONTAINER_NAME, task_family
from background_jobs.core.containers.warm import WARM_QUEUE
from background_jobs.core.limits import STOP_SECONDS
from background_jobs.settings import PREFIX, Settings

SERVICE_TAG = "background-jobs:service"
ENVIRONMENT_TAG = "background-jobs:environment"
"""The tags of each task; activated as cost allocation tags, they tell what each service costs."""
_ZSTD = "type=image,oci-mediatypes=true,compression=zstd,force-compression=true"
"""What `docker build --output` is given. Layers of the base image are compressed anew, too."""
_SCRATCH = "scratch"
_LOG_BUFFER_MIB = 25


def role_path(environment: str) -> str:
    """Return the path of the roles that containers of *environment* have in this region."""
    return f"/background-jobs/{environment}/{Aws.REGION}/"


def _tasks_of_here(stack: Stack) -> iam.ServicePrincipal:
    """Return ECS, as far as it acts for tasks of this account and region.

    A single cluster cannot be named. Source: Amazon ECS Developer Guide, "Amazon ECS task IAM role".
    """
    tasks = stack.format_arn(service="ecs", resource="*", arn_format=ArnFormat.NO_RESOURCE_NAME)
    return iam.ServicePrincipal(
        "ecs-tasks.amazonaws.com",
        conditions={
            "ArnLike": {"aws:SourceArn": tasks},
            "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
        },
    )


def _settings_of(settings: Settings, service: str) -> Settings:
    """Return the settings of containers of *service*, which kick nothing off and keep their own data only."""
    days = {name: days for name, days in settings.service_retention_days.items() if name == service}
    limits = {name: limit for name, limit in settings.service_memory_limits.items() if name == service}
    return settings.model_copy(
        update={
            "service": service,
            "service_names": (),
            "job_names": (),
            "service_retention_days": days,
            "service_memory_limits": limits,
        }
    )


def _keep_policy_in(role: iam.Role) -> None:
    """Have the statements of *role* in the role itself, instead of in a resource of their own.

    A stack has 500 resources at most, and each service would take two more of them. Source: AWS
    CloudFormation User Guide, "CloudFormation quotas".
    """
    policy = role.node.try_find_child("DefaultPolicy")
    resource = role.node.default_child
    if isinstance(policy, iam.Policy) and isinstance(resource, iam.CfnRole):
        resource.policies = [iam.CfnRole.PolicyProperty(policy_name="Jobs", policy_document=policy.document)]
        role.node.try_remove_child("DefaultPolicy")


class JobService(Construct):
    """The task definition of a service, under its conventional family name.

    Its execution role is ECS's own: it pulls the image, reads the secrets and writes the log. Its task role
    is the jobs': it works through shares, and may do what the service is configured with.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        shared: SharedResources,
        config: ServiceConfig,
        place: Place,
    ) -> None:
        super().__init__(scope, construct_id)
        tasks = _tasks_of_here(Stack.of(self))
        path = role_path(shared.config.environment)
        self.task_role = iam.Role(self, "TaskRole", assumed_by=tasks, path=path)
        self.execution_role = iam.Role(self, "ExecutionRole", assumed_by=tasks, path=path)
        self.log = shared.logs.group(self, "Log")
        shared.storage.grant_work(self.task_role, config.name)
        self._permit(config)
        self._let_read_secrets(config)
        family = task_family(shared.config.environment, config.name)
        self.warm_queue = offer_queue(self, family) if config.warm.count else None
        if self.warm_queue:
            let_serve(self.task_role, self.warm_queue, place)
        definition = self._define(config, _settings_of(shared.settings, config.name), family)
        if config.warm.count:
            keep_warm_workers(self, definition, config, place)
        for role in (self.task_role, self.execution_role):
            _keep_policy_in(role)

    def _permit(self, config: ServiceConfig) -> None:
        for permission in config.permissions:
            self.task_role.add_to_policy(
                iam.PolicyStatement(actions=list(permission.actions), resources=list(permission.resources))
            )
            for resource in permission.resources:
                if "*" in resource:
                    acknowledge_wildcard(self.task_role, resource, permission.reason)

    def _let_read_secrets(self, config: ServiceConfig) -> None:
        for arn in config.secrets.values():
            of_ssm = arn.split(":")[2] == "ssm"
            action = "ssm:GetParameters" if of_ssm else "secretsmanager:GetSecretValue"
            # The parts after the seventh name a field or a version of the secret.
            resource = arn if of_ssm else ":".join(arn.split(":")[:7])
            self.execution_role.add_to_policy(iam.PolicyStatement(actions=[action], resources=[resource]))

    def _define(self, config: ServiceConfig, settings: Settings, family: str) -> ecs.TaskDefinition:
        definition = self._task_definition(config, family)
        Tags.of(definition).add(SERVICE_TAG, config.name)
        Tags.of(definition).add(ENVIRONMENT_TAG, settings.environment)
        # A deployment would deregister the revision that it replaces, and orchestrations that began with it
        # could launch no container any more.
        if isinstance(resource := definition.node.default_child, ecs.CfnTaskDefinition):
            resource.cfn_options.update_replace_policy = CfnDeletionPolicy.RETAIN
            resource.cfn_options.deletion_policy = CfnDeletionPolicy.DELETE
        runs_on = {f"{PREFIX}CPU": str(config.cpu), f"{PREFIX}MEMORY_MIB": str(config.memory_mib)}
        if config.runs_on != ON_DEMAND:
            runs_on[f"{PREFIX}CAPACITY_PROVIDER"] = config.runs_on
        if self.warm_queue:
            runs_on[WARM_QUEUE] = self.warm_queue.queue_url
        container = definition.add_container(
            CONTAINER_NAME,
            image=self._image(config),
            environment=config.variables | settings.to_env() | runs_on | {"AWS_REGION": Aws.REGION},
            logging=self._log_driver(config),
            linux_parameters=self._linux(config),
            gpu_count=config.gpus or None,
            readonly_root_filesystem=True,
            stop_timeout=Duration.seconds(STOP_SECONDS),
        )
        # The only folder that can be written; its permissions are those of the image's VOLUME.
        definition.add_volume(name=_SCRATCH)
        container.add_mount_points(
            ecs.MountPoint(container_path="/tmp", source_volume=_SCRATCH, read_only=False)  # noqa: S108
        )
        self._inject(config, definition)
        acknowledge(definition, "ECS2", "They are settings; what is secret comes from `secrets`.")
        return definition

    def _task_definition(self, config: ServiceConfig, family: str) -> ecs.TaskDefinition:
        """Return the empty task definition; its size is that of the task, on EC2 as on Fargate."""
        on_ec2 = bool(config.capacity_provider)
        architecture = ecs.CpuArchitecture.ARM64 if config.arm64 else ecs.CpuArchitecture.X86_64
        platform = ecs.RuntimePlatform(
            cpu_architecture=architecture, operating_system_family=ecs.OperatingSystemFamily.LINUX
        )
        return ecs.TaskDefinition(
            self,
            "Task",
            family=family,
            compatibility=ecs.Compatibility.EC2 if on_ec2 else ecs.Compatibility.FARGATE,
            network_mode=ecs.NetworkMode.AWS_VPC,
            cpu=str(config.cpu),
            memory_mib=str(config.memory_mib),
            # The hosts of a capacity provider say what they are.
            runtime_platform=None if on_ec2 else platform,
            task_role=self.task_role,
            execution_role=self.execution_role,
            ephemeral_storage_gib=config.ephemeral_storage_gib,
        )

    def _log_driver(self, config: ServiceConfig) -> ecs.LogDriver:
        """Return the log driver, with its mode: what ECS takes without one is a setting of the account.

        Source: Amazon ECS Developer Guide, "Default log driver mode".
        """
        waits = config.log_mode == "blocking"
        return ecs.LogDrivers.aws_logs(
            log_group=self.log,
            stream_prefix=config.name,
            mode=ecs.AwsLogDriverMode.BLOCKING if waits else ecs.AwsLogDriverMode.NON_BLOCKING,
            max_buffer_size=None if waits else Size.mebibytes(_LOG_BUFFER_MIB),
        )

    def _linux(self, config: ServiceConfig) -> ecs.LinuxParameters | None:
        if not config.init_process:
            return None
        return ecs.LinuxParameters(self, "Linux", init_process_enabled=True)

    def _inject(self, config: ServiceConfig, definition: ecs.TaskDefinition) -> None:
        """Have ECS put the secrets into variables; CDK's own method would grant more than reading them."""
        secrets = [{"Name": name, "ValueFrom": arn} for name, arn in config.secrets.items()]
        resource = definition.node.default_child
        if secrets and isinstance(resource, ecs.CfnTaskDefinition):
            resource.add_property_override("ContainerDefinitions.0.Secrets", secrets)

    def _image(self, config: ServiceConfig) -> ecs.ContainerImage:
        if config.folder is not None:
            platform = Platform.LINUX_ARM64 if config.arm64 else Platform.LINUX_AMD64
            if problem := explain_foreign_build(arm64=config.arm64):
                Annotations.of(self).add_warning(f"Service {config.name!r}: {problem}")
            self._acknowledge_token()
            return ecs.ContainerImage.from_asset(
                str(config.folder),
                file=config.dockerfile,
                platform=platform,
                outputs=[_ZSTD] if config.zstd else None,
            )
        if config.ecr_image is not None:
            self._let_pull(config.ecr_image)
        return ecs.ContainerImage.from_registry(config.image)

    def _let_pull(self, image: EcrImage) -> None:
        repository = Arn.format(
            ArnComponents(
                service="ecr",
                account=image.account,
                region=image.region,
                resource="repository",
                resource_name=image.name,
                arn_format=ArnFormat.SLASH_RESOURCE_NAME,
            ),
            Stack.of(self),
        )
        for actions, resource in (
            (
                [
                    "ecr:BatchCheckLayerAvailability",
                    "ecr:BatchGetImage",
                    "ecr:GetDownloadUrlForLayer",
                ],
                repository,
            ),
            (["ecr:GetAuthorizationToken"], "*"),
        ):
            self.execution_role.add_to_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
        self._acknowledge_token()

    def _acknowledge_token(self) -> None:
        acknowledge_wildcard(self.execution_role, "*", "A token of ECR cannot be allowed by resource.")
