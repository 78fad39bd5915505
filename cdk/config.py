"""What differs between environments, checked before anything is synthesized."""

import re
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, model_validator

from background_jobs.cdk.network_config import ExistingVpc, NetworkConfig, NewVpc
from background_jobs.cdk.notification_config import NotificationConfigs, Topic, explain_too_many
from background_jobs.cdk.schedule_config import ScheduleConfig
from background_jobs.cdk.service_config import MOST_DAYS, ServiceConfig
from background_jobs.cdk.sign_in_config import ConsoleSignIn
from background_jobs.cdk.validation import Several, ValidatedConfig, Whole, YesNo, did_you_mean
from background_jobs.core.access import SCOPES_OF_A_SERVER
from background_jobs.core.bounds import Parallelism
from background_jobs.core.containers.capacity import LATEST, ON_DEMAND
from background_jobs.core.containers.warm import WarmWorkers
from background_jobs.core.limits import DEFAULT_PARALLELISM
from background_jobs.core.options import explain_unknown_channel
from background_jobs.core.retention import Retention
from background_jobs.core.stages import Stage, services_of_stages, walk_stages

_ORIGIN: Final = re.compile(r"https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?")
LOG_RETENTIONS: Final = {
    1: "ONE_DAY",
    3: "THREE_DAYS",
    7: "ONE_WEEK",
    14: "TWO_WEEKS",
    30: "ONE_MONTH",
    90: "THREE_MONTHS",
    180: "SIX_MONTHS",
    365: "ONE_YEAR",
    731: "TWO_YEARS",
    1827: "FIVE_YEARS",
    3653: "TEN_YEARS",
}
"""For how many days CloudWatch can keep a log, and what CDK calls that."""
_OTHER_PARTITIONS: Final = ("cn-", "us-gov-", "us-iso", "eu-isoe-", "eusc-")
"""How the names of regions outside of the partition `aws` begin."""
_PROVIDERS_OF_A_CLUSTER: Final = 20
"""Source: Amazon ECS API Reference, "PutClusterCapacityProviders"; those of Fargate are two of them."""
_NOTIFY: Final = re.compile(r"arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[\w-]+|[^@\s]+@[^@\s]+\.[^@\s]+")
_USER_POOL: Final = re.compile(
    r"arn:[a-z-]+:cognito-idp:(?P<region>[a-z0-9-]+):\d{12}:userpool/(?P=region)_[0-9a-zA-Z]+"
)
_OF_HOSTS: Final = ("ecs", "ecs-agent", "ecs-telemetry")
"""The services that a host calls to be one of ECS's.

Source: Amazon ECS Developer Guide, "Amazon ECS interface VPC endpoints (AWS PrivateLink)".
"""


TableName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{3,255}$")]


class EnvironmentConfig(ValidatedConfig):
    """One deployment of the stack."""

    model_config = ConfigDict(title="environment")

    environment: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,19}$")
    services: Several[ServiceConfig] = Field(min_length=1)
    """The first is the one that runs a job when kick_off_job names none."""
    account: str | None = Field(default=None, pattern=r"^\d{12}$")
    region: str | None = Field(default=None, pattern=r"^[a-z]{2,4}(-[a-z]+)+-\d$")
    """Where it is deployed; None for the account and region of the credentials."""
    network: NetworkConfig = NewVpc()
    event_bus: str = Field(default="background-jobs", pattern=r"^[A-Za-z0-9._-]{1,256}$")
    """The name is unique in an account and region, so a second environment there needs another one."""
    event_log_table_name: TableName | None = None
    read_model_table_name: TableName | None = None
    payload_bucket_name: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    """Names of your own; None for those that CloudFormation makes, under which a resource can be replaced."""
    max_parallelism: Parallelism = DEFAULT_PARALLELISM
    default_parallelism: Parallelism | None = None
    """The containers of an orchestration whose kick-off names no parallelism; None for max_parallelism."""
    retention_days: Whole = Field(default=90, ge=1, le=MOST_DAYS)
    """For how many days events, read model and payloads are kept, unless a service has its own."""
    stalled_after_seconds: float = Field(default=3_600, strict=True, ge=60, allow_inf_nan=False)
    """After how many seconds without a change an OrchestrationStalled event warns."""
    schedules: Several[ScheduleConfig] = ()
    """The schedules that come and go with the stack."""
    log_days: Whole = 30
    function_memory_mib: Whole = Field(default=1024, ge=128, le=10_240)
    """Of each function; Lambda gives CPU in proportion."""
    api_concurrency: Whole | None = Field(default=None, ge=1)
    """How many requests and streams the progress API serves at once, so that it leaves the rest to others.

    None for no limit: a new account has 10 concurrent executions, and none can be reserved of the last 100.
    """
    user_pool_arn: str | None = None
    """The Cognito user pool whose tokens (JWT) the progress API takes; None for IAM (SigV4)."""
    user_pool_scopes: YesNo = False
    """Whether a token needs a scope: ``background-jobs-<environment>/read`` or ``…/write`` for all services.

    One with ``…/services`` is for those that further scopes or groups name:
    ``background-jobs-<environment>.read/<service>`` or ``….write/<service>``.
    """
    api_cors_origins: tuple[str, ...] = ()
    """The sites whose pages may call the API from a browser: ``https://app.example``.

    They open streams with tokens (`POST /orchestrations/{id}/stream-tokens`), under a key in KMS.
    """
    console: ConsoleSignIn | None = None
    """How people sign in to the console in a browser; None for nobody, who then serve it by themselves."""
    api_access_log: YesNo = False
    """Keep an access log of the API; for this, the account's settings of API Gateway need a role."""
    warm_throughput: Whole | None = Field(default=None, ge=4_000)
    """The write units a second that each table takes from the beginning; None for AWS's 4,000."""
    customer_key: YesNo = False
    """Encrypt tables, bucket, logs and queue under a KMS key of the environment's own."""
    keep_data: YesNo = True
    """Whether tables, bucket and key outlive the stack and are protected from deletion."""
    web_adapter_layer: str | None = Field(default=None, pattern=r"^arn:[a-z-]+:lambda:\S+:layer:\S+:\d+$")
    """The layer of AWS Lambda Web Adapter for arm64; None for AWS's own, in partition `aws` only."""
    protected: YesNo = True
    """Whether what is kept is protected from deletion; not in a first deployment, which may fail."""
    monitored: YesNo = True
    """Whether there are alarms and a dashboard."""
    notify: str | None = None
    """Who hears of alarms: an e-mail address, or the ARN of an SNS topic."""
    notifications: NotificationConfigs = Field(default_factory=dict)
    """The channels that a kick-off may name to hear of its end, by name: ``{"team": Topic(arn="arn:…")}``."""
    bundled: YesNo = True
    """Whether the functions come with a layer of their dependencies; an emulator needs none."""

    @property
    def job_names(self) -> tuple[str, ...]:
        """Return the jobs of all services, or nothing if a service does not list its own."""
        if not all(service.jobs for service in self.services):
            return ()
        return tuple(sorted({job for service in self.services for job in service.jobs}))

    @property
    def deletion_protection(self) -> bool:
        """Return whether stack and tables refuse to be deleted."""
        return self.keep_data and self.protected

    @property
    def capacity_providers(self) -> dict[str, str]:
        """Return the capacity provider of each service that is not on Fargate on demand."""
        providers = {service.name: service.runs_on for service in self.services}
        return {name: provider for name, provider in providers.items() if provider != ON_DEMAND}

    @property
    def platform_versions(self) -> dict[str, str]:
        """Return the platform version of each service that does not take the latest."""
        versions = {service.name: service.platform_version for service in self.services}
        return {name: version for name, version in versions.items() if version != LATEST}

    @property
    def memory_limits(self) -> dict[str, int]:
        """Return the most memory of each service whose containers may be launched again with more."""
        limits = {service.name: service.max_memory_mib for service in self.services}
        return {name: limit for name, limit in limits.items() if limit}

    @property
    def warm_workers(self) -> dict[str, WarmWorkers]:
        """Return the warm workers of each service that has some."""
        return {service.name: service.warm for service in self.services if service.warm.count}

    @property
    def retention(self) -> Retention:
        """Return for how many days the data of each service is kept."""
        own = {service.name: service.retention_days for service in self.services}
        return Retention(self.retention_days, {name: days for name, days in own.items() if days})

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for kind, configs in (("services", self.services), ("schedules", self.schedules)):
            names = [config.name for config in configs]
            if twice := {name for name in names if names.count(name) > 1}:
                raise ValueError(f"these {kind} are named twice: {', '.join(sorted(twice))}")
        return self

    @model_validator(mode="after")
    def _outputs_are_unique(self) -> Self:
        """Refuse services whose names are the same without hyphens, as those of outputs are."""
        names: dict[str, str] = {}
        for service in self.services:
            output = "".join(part.capitalize() for part in service.name.split("-"))
            if (other := names.setdefault(output, service.name)) != service.name:
                raise ValueError(
                    f"services {other!r} and {service.name!r} would have the same output "
                    f"CallerPolicyOf{output}; give one of them another name"
                )
        return self

    @model_validator(mode="after")
    def _bus_can_be_made(self) -> Self:
        """Refuse the names that EventBridge keeps. Source: EventBridge API Reference, "CreateEventBus"."""
        if self.event_bus == "default" or self.event_bus.startswith("aws."):
            raise ValueError(f"event_bus={self.event_bus!r} is a name of AWS's own; take another")
        return self

    @model_validator(mode="after")
    def _origins_are_sites(self) -> Self:
        for origin in self.api_cors_origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"api_cors_origins has {origin!r}, which is no origin; write scheme and host, without a "
                    "path and without a slash at the end: 'https://app.example'"
                )
        return self

    @model_validator(mode="after")
    def _is_in_one_region(self) -> Self:
        """Refuse a topic, and a pool that scopes are added to, where the stack is not."""
        arns = {"notify": self.notify}
        if self.user_pool_scopes:
            arns["user_pool_arn"] = self.user_pool_arn
        for channel, config in self.notifications.items():
            arns[f"channel {channel!r}"] = config.arn if isinstance(config, Topic) else config.secret_arn
        for name, arn in arns.items():
            region = arn.split(":")[3] if arn and arn.startswith("arn:") else self.region
            if self.region and region != self.region:
                raise ValueError(
                    f"{name} is of region {region}, and the environment is in {self.region}; name one there"
                )
        return self

    @model_validator(mode="after")
    def _cluster_takes_providers(self) -> Self:
        own = {service.capacity_provider for service in self.services if service.capacity_provider}
        if len(own) > (most := _PROVIDERS_OF_A_CLUSTER - 2):
            raise ValueError(
                f"a cluster has {most} capacity providers of your own at "
                f"most, not {len(own)}; let services share some, or use several environments"
            )
        return self

    @model_validator(mode="after")
    def _channels_fit(self) -> Self:
        if (reason := explain_too_many(self.notifications)) is not None:
            raise ValueError(reason)
        return self

    @model_validator(mode="after")
    def _schedules_can_run(self) -> Self:
        for schedule in self.schedules:
            for channel in schedule.notify or ():
                if channel not in self.notifications:
                    reason = explain_unknown_channel(channel, list(self.notifications))
                    raise ValueError(f"schedule {schedule.name!r}: {reason}")
            stages: list[ScheduleConfig | Stage] = [schedule, *walk_stages(schedule.then)]
            services = services_of_stages(schedule.service or self.services[0].name, schedule.then)
            for stage, service in zip(stages, services, strict=True):
                if refusal := self._refusal(stage, service):
                    raise ValueError(f"schedule {schedule.name!r}: {refusal}")
        return self

    def _refusal(self, stage: ScheduleConfig | Stage, service: str) -> str | None:
        """Return why *service* cannot run *stage*, if so."""
        jobs_of = {config.name: config.jobs for config in self.services}
        if service not in jobs_of:
            return f"there is no service {service!r}; {did_you_mean(service, list(jobs_of))}"
        if stage.parallelism is not None and stage.parallelism > self.max_parallelism:
            return f"at most {self.max_parallelism} in parallel"
        job = stage.job_name
        if not (jobs := jobs_of[service]) or job in jobs:
            return None
        unlisted = f"the jobs of service {service!r} have no {job!r}; "
        elsewhere = [name for name, others in jobs_of.items() if job in others]
        return unlisted + (f"use service={elsewhere[0]!r}" if elsewhere else did_you_mean(job, jobs))

    @model_validator(mode="after")
    def _network_serves(self) -> Self:
        if isinstance(self.network, ExistingVpc) and not (self.account and self.region):
            raise ValueError(
                f"to look up {self.network.vpc_id}, account and region must be known; set both, or name the "
                "subnets with ExistingSubnets"
            )
        if isinstance(self.network, NewVpc) and self.network.private:
            for service in self.services:
                if service.folder is None and service.ecr_image is None:
                    raise ValueError(
                        f"service {service.name!r}: private subnets without NAT do not reach the registry of "
                        f"{service.image!r}; push it to ECR, or use public subnets"
                    )
        return self

    @model_validator(mode="after")
    def _hosts_are_reached(self) -> Self:
        """Refuse public subnets for tasks on EC2, whose network interfaces get no public address.

        Source: Amazon ECS Developer Guide, "Allocate a network interface for an Amazon ECS task".
        """
        hosted = [service.name for service in self.services if service.capacity_provider]
        network = self.network
        is_public = not network.private if isinstance(network, NewVpc) else network.public
        if hosted and is_public:
            raise ValueError(
                f"containers of {', '.join(hosted)} run on a capacity provider of your own, where they get "
                "no public address and so reach nothing from public subnets; use private ones with NAT or "
                "endpoints"
            )
        if hosted and isinstance(network, NewVpc) and not {*_OF_HOSTS} <= {*network.endpoints}:
            endpoints = tuple(dict.fromkeys((*network.endpoints, *_OF_HOSTS)))
            raise ValueError(
                f"the hosts of {', '.join(hosted)} reach ECS from private subnets through endpoints only; "
                f"write NewVpc(private=True, endpoints={endpoints})"
            )
        return self

    @model_validator(mode="after")
    def _has_web_adapter(self) -> Self:
        """Refuse partitions in which AWS publishes no layer for arm64.

        Source: aws/aws-lambda-web-adapter on GitHub: issue 277 for GovCloud; the README for China, x86 only.
        """
        if self.region and self.region.startswith(_OTHER_PARTITIONS) and self.web_adapter_layer is None:
            raise ValueError(
                f"AWS publishes no Lambda Web Adapter for arm64 in {self.region}; publish "
                "LambdaAdapterLayerArm64 there, and name it with web_adapter_layer"
            )
        return self

    @model_validator(mode="after")
    def _is_offered(self) -> Self:
        if self.log_days not in LOG_RETENTIONS:
            raise ValueError(
                f"CloudWatch cannot keep logs for log_days={self.log_days}; use one of {list(LOG_RETENTIONS)}"
            )
        if self.notify and not _NOTIFY.fullmatch(self.notify):
            raise ValueError(
                f"notify={self.notify!r} is neither an e-mail address nor the ARN of an SNS topic"
            )
        if self.user_pool_arn and not _USER_POOL.fullmatch(self.user_pool_arn):
            raise ValueError(
                f"user_pool_arn={self.user_pool_arn!r} is no ARN of a user pool, such as "
                "'arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_a1B2c3D4e'"
            )
        if self.user_pool_scopes and self.user_pool_arn is None:
            raise ValueError("user_pool_scopes needs the pool; set user_pool_arn")
        if self.user_pool_scopes and len(self.services) > SCOPES_OF_A_SERVER:
            raise ValueError(
                "user_pool_scopes needs a scope for each service; Cognito has "
                f"{SCOPES_OF_A_SERVER}, not {len(self.services)}; use several environments"
            )
        if self.notify and not self.monitored:
            raise ValueError("notify needs monitored=True, for there are no alarms")
        return self
