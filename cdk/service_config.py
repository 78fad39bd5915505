"""One service: an image, the jobs in it and what its containers get, checked before synthesis."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from background_jobs.cdk.validation import Several, ValidatedConfig, Whole, YesNo
from background_jobs.core.bounds import JobName, ServiceName
from background_jobs.core.containers.capacity import LATEST, ON_DEMAND, SPOT
from background_jobs.core.containers.variables import VARIABLE_NAME
from background_jobs.core.containers.warm import MOST_WORKERS, WarmWorkers
from background_jobs.core.json_places import show
from background_jobs.core.planning.fargate import MEMORY_MIB
from background_jobs.settings import PREFIX, ContainerSettings

_ECR: Final = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<name>[^:@]+)"
)
_PROVIDERS_OF_AWS: Final = ("aws", "ecs", "fargate")
"""How the names of AWS's capacity providers begin. Source: ECS API Reference, "CreateCapacityProvider"."""
_OF_FARGATE: Final = ("spot", "platform_version", "ephemeral_storage_gib", "max_memory_mib")
_EC2_CPU: Final = range(128, 196_608 + 1)
"""The CPU units of a task on EC2. Source: Amazon ECS Developer Guide, "Task definition parameters"."""
_LEAST_MEMORY_MIB: Final = 6
"""What Docker needs for a container. Source: Amazon ECS Developer Guide, "Task definition parameters"."""
_OLDEST_FOR_ARM: Final = (1, 4, 0)
"""The platform version from which Fargate has arm64 and more disk. Source: Amazon ECS Developer Guide,
"Fargate Linux platform versions"."""
MOST_DAYS: Final = 36_500
"""The longest retention; dates end with the year 9999."""
VariableName = Annotated[str, Field(pattern=f"^{VARIABLE_NAME}$")]
_SECRET: Final = re.compile(r"arn:[a-z-]+:(secretsmanager:.+:secret:.+|ssm:.+:parameter/.+)")
_OURS: Final = frozenset(str(field.alias) for field in ContainerSettings.model_fields.values() if field.alias)


def _read_warm(value: object) -> object:
    if isinstance(value, WarmWorkers | Mapping):
        return value
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_WORKERS:
        raise ValueError(
            f"warm={show(value)} is no number of workers; use one from 0 to {MOST_WORKERS:,}, or "
            "WarmWorkers(count=…) with hours and more"
        )
    return WarmWorkers(count=value)


Warm = Annotated[WarmWorkers, BeforeValidator(_read_warm)]


class Permission(ValidatedConfig):
    """What the jobs of a service may do, beyond reading params and appending events."""

    actions: tuple[Annotated[str, Field(pattern=r"^[a-z0-9-]+:[A-Za-z0-9]+$")], ...] = Field(min_length=1)
    """Each in full, ``s3:GetObject``; wildcards are refused."""
    resources: tuple[str, ...] = Field(min_length=1)
    reason: str = Field(min_length=1)
    """Why they are needed; shown with every wildcard in *resources*."""


class EcrImage(BaseModel):
    """Where an image is in a registry of ECR."""

    account: str
    region: str
    name: str


def _parse_version(platform_version: str) -> tuple[int, ...]:
    return _OLDEST_FOR_ARM if platform_version == LATEST else tuple(map(int, platform_version.split(".")))


def _refuse_limit(cpu: int, memory_mib: int, most_mib: int) -> None:
    """Raise ValueError where no size of Fargate has *most_mib* of memory, or it is no more than there is."""
    offered = sorted({memory for size in MEMORY_MIB if size >= cpu for memory in MEMORY_MIB[size]})
    larger = [memory for memory in offered if memory > memory_mib]
    if most_mib not in larger:
        near = sorted(larger, key=lambda memory: abs(memory - most_mib))[:3]
        raise ValueError(
            f"max_memory_mib={most_mib} is no size of Fargate above memory_mib={memory_mib}; "
            f"near it are {sorted(near)}"
        )


class ServiceConfig(ValidatedConfig):
    """One image with one or more jobs."""

    model_config = ConfigDict(title="service")

    name: ServiceName
    image: str
    """A registry's image, or a folder from which it is built: ``.``, ``./billing``.

    The folder is relative to the current one, which for the CDK CLI is that of cdk.json.
    """
    dockerfile: str = "Dockerfile"
    """Relative to the folder."""
    jobs: tuple[JobName, ...] = ()
    """The names of its jobs, and their aliases. If every service lists its own, a kick-off refuses others."""
    cpu: Whole = 512
    memory_mib: Whole = 1024
    max_memory_mib: Whole | None = None
    """With how much memory a container is launched again that ran out of it, at most; None for no more."""
    arm64: YesNo = True
    spot: YesNo = False
    """Run on Fargate Spot: far cheaper, and AWS may take a container back, which is launched again."""
    platform_version: str = Field(default=LATEST, pattern=r"^(LATEST|\d+\.\d+\.\d+)$")
    """The platform version of Fargate: ``1.4.0``."""
    capacity_provider: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,255}$")
    """Run on EC2, on a capacity provider of your own that has its hosts in the environment's cluster."""
    gpus: Whole = Field(default=0, ge=0, le=16)
    """The GPUs of a container, on such a capacity provider."""
    ephemeral_storage_gib: Whole | None = Field(default=None, ge=21, le=200)
    """The disk of a container, which ``/tmp`` is on; None for the 20 GiB that cost nothing."""
    init_process: YesNo = False
    """Run the container under an init process, which reaps children that jobs leave behind."""
    log_mode: Literal["non-blocking", "blocking"] = "non-blocking"
    """What happens while CloudWatch takes no logs: lines beyond a buffer are lost, or whoever logs waits."""
    zstd: YesNo = False
    """Have Docker compress the layers of an image that is built from a folder by zstd, to start sooner."""
    variables: dict[VariableName, str] = Field(default_factory=dict)
    secrets: dict[VariableName, str] = Field(default_factory=dict)
    """By variable, the ARN of a secret of Secrets Manager or of a parameter of SSM."""
    permissions: Several[Permission] = ()
    warm: Warm = WarmWorkers()
    """The containers that stay, and take shares at once: their number, or WarmWorkers with hours and more."""
    retention_days: Whole | None = Field(default=None, ge=1, le=MOST_DAYS)
    """For how many days its events, read model and payloads are kept; None for those of the environment."""

    @property
    def runs_on(self) -> str:
        """Return the capacity provider of its containers."""
        return self.capacity_provider or (SPOT if self.spot else ON_DEMAND)

    @property
    def folder(self) -> Path | None:
        """Return the folder that the image is built from; None for a registry's image."""
        return Path(self.image).absolute() if self.image.startswith((".", "/")) else None

    @property
    def ecr_image(self) -> EcrImage | None:
        """Return where the image is, if that is in ECR."""
        match = _ECR.match(self.image)
        return EcrImage.model_validate(match.groupdict()) if match else None

    @model_validator(mode="after")
    def _fits_fargate(self) -> Self:
        if self.capacity_provider:
            return self
        if self.gpus:
            raise ValueError(
                "Fargate has no GPUs; name a capacity_provider of your own whose hosts have them"
            )
        if self.cpu not in MEMORY_MIB:
            raise ValueError(f"Fargate has no cpu={self.cpu}; use one of {list(MEMORY_MIB)}")
        if self.memory_mib not in (offered := MEMORY_MIB[self.cpu]):
            raise ValueError(
                f"with cpu={self.cpu} Fargate has no memory_mib={self.memory_mib}; use one of {list(offered)}"
            )
        if self.max_memory_mib is not None:
            _refuse_limit(self.cpu, self.memory_mib, self.max_memory_mib)
        newer_is_needed = self.arm64 or self.ephemeral_storage_gib
        if newer_is_needed and _parse_version(self.platform_version) < _OLDEST_FOR_ARM:
            raise ValueError(
                f"platform version {self.platform_version} of Fargate has neither "
                "arm64 nor ephemeral_storage_gib; use 1.4.0 or later, or leave these out"
            )
        return self

    @model_validator(mode="after")
    def _fits_ec2(self) -> Self:
        if not self.capacity_provider:
            return self
        if self.capacity_provider.lower().startswith(_PROVIDERS_OF_AWS):
            raise ValueError(
                f"capacity_provider={self.capacity_provider!r} is named as AWS's own; name one that you "
                "made, or use spot=True for Fargate Spot"
            )
        fields = type(self).model_fields
        options = [name for name in _OF_FARGATE if getattr(self, name) != fields[name].default]
        if options:
            which = "it" if len(options) == 1 else "them"
            raise ValueError(
                f"only Fargate has {', '.join(options)}; leave {which} out, or leave out capacity_provider"
            )
        if self.cpu not in _EC2_CPU:
            raise ValueError(f"EC2 has no cpu={self.cpu}; use {_EC2_CPU[0]} to {_EC2_CPU[-1]}")
        if self.memory_mib < _LEAST_MEMORY_MIB:
            raise ValueError(
                f"no container runs in memory_mib={self.memory_mib}; use {_LEAST_MEMORY_MIB} or more"
            )
        return self

    @model_validator(mode="after")
    def _image_can_be_built(self) -> Self:
        folder = self.folder
        if folder is None:
            if self.zstd:
                raise ValueError("zstd is for an image that is built from a folder, and this one is built")
            if Path(self.image).is_dir():
                raise ValueError(
                    f"image={self.image!r} is a folder here; to build from it, write './{self.image}'"
                )
        elif not folder.is_dir():
            raise ValueError(f"there is no folder {folder} to build its image from")
        elif not (folder / self.dockerfile).is_file():
            raise ValueError(
                f"there is no {self.dockerfile} in {folder.resolve()}; name the right one with dockerfile="
            )
        return self

    @model_validator(mode="after")
    def _variables_are_free(self) -> Self:
        names = [*self.variables, *self.secrets]
        ours = sorted(name for name in names if name in {*_OURS, "AWS_REGION"} or name.startswith(PREFIX))
        if ours:
            raise ValueError(f"these variables are set by us: {', '.join(ours)}")
        if twice := sorted(self.variables.keys() & self.secrets.keys()):
            raise ValueError(f"these are both in variables and in secrets: {', '.join(twice)}")
        for name, arn in self.secrets.items():
            if not _SECRET.fullmatch(arn):
                raise ValueError(
                    f"secrets[{name!r}]={arn!r} is no ARN of a secret of Secrets Manager or of a parameter "
                    "of SSM"
                )
        if commas := sorted(name for name in self.jobs if "," in name):
            raise ValueError(
                f"names of jobs are listed with commas between them; these have some: {'; '.join(commas)}"
            )
        if twice := sorted({name for name in self.jobs if self.jobs.count(name) > 1}):
            raise ValueError(f"these jobs are named twice: {', '.join(twice)}")
        return self
