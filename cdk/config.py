"""What differs between stages and services, checked before anything is synthesized."""

from collections.abc import Sequence
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cdk.schedule_config import ScheduleConfig

_GIB: Final = 1024
_FARGATE_MEMORY: Final[dict[int, Sequence[int]]] = {
    256: (512, 1 * _GIB, 2 * _GIB),
    512: range(1 * _GIB, 4 * _GIB + 1, _GIB),
    1024: range(2 * _GIB, 8 * _GIB + 1, _GIB),
    2048: range(4 * _GIB, 16 * _GIB + 1, _GIB),
    4096: range(8 * _GIB, 30 * _GIB + 1, _GIB),
    8192: range(16 * _GIB, 60 * _GIB + 1, 4 * _GIB),
    16384: range(32 * _GIB, 120 * _GIB + 1, 8 * _GIB),
}
"""The memory in MiB that Fargate offers with each CPU size."""


class ServiceConfig(BaseModel):
    """One image with one or more jobs."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    image: str
    """A registry's image, or the folder of a Dockerfile."""
    cpu: int = 512
    memory_mib: int = 1024
    arm64: bool = True

    @model_validator(mode="after")
    def _fits_fargate(self) -> Self:
        if self.cpu not in _FARGATE_MEMORY:
            raise ValueError(
                f"service {self.name!r}: Fargate has no cpu={self.cpu}; use one of {list(_FARGATE_MEMORY)}"
            )
        if self.memory_mib not in (offered := _FARGATE_MEMORY[self.cpu]):
            raise ValueError(
                f"service {self.name!r}: with cpu={self.cpu} Fargate has no memory_mib={self.memory_mib}; "
                f"use one of {list(offered)}"
            )
        return self


class StageConfig(BaseModel):
    """One deployment of the stack."""

    model_config = ConfigDict(frozen=True)

    stage: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,19}$")
    services: tuple[ServiceConfig, ...] = Field(min_length=1)
    event_bus: str = "background-jobs"
    max_parallelism: int = Field(default=100, ge=1, le=10_000)
    retention_days: int = Field(default=90, ge=1)
    user_pool_arn: str | None = None
    """The Cognito user pool whose tokens (JWT) the progress API takes; None for IAM (SigV4)."""
    schedules: tuple[ScheduleConfig, ...] = ()
    """The schedules that come and go with the stack."""
    keep_data: bool = True
    """Whether tables and bucket outlive the stack and are protected from deletion."""

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for kind, named in (("services", self.services), ("schedules", self.schedules)):
            names = [one.name for one in named]
            if twice := {name for name in names if names.count(name) > 1}:
                raise ValueError(f"these {kind} are named twice: {', '.join(sorted(twice))}")
        return self

    @model_validator(mode="after")
    def _schedules_can_run(self) -> Self:
        services = {service.name for service in self.services}
        for schedule in self.schedules:
            if schedule.service is not None and schedule.service not in services:
                raise ValueError(f"schedule {schedule.name!r}: there is no service {schedule.service!r}")
            if schedule.parallelism is not None and schedule.parallelism > self.max_parallelism:
                raise ValueError(f"schedule {schedule.name!r}: at most {self.max_parallelism} in parallel")
        return self


STAGES: Final = {
    "dev": StageConfig(stage="dev", services=(ServiceConfig(name="default", image="."),), keep_data=False),
    "prod": StageConfig(stage="prod", services=(ServiceConfig(name="default", image="."),)),
}
"""The stages of this repository; `-c stage=NAME` picks one."""


def stage_named(name: str) -> StageConfig:
    """Return the configuration of a stage. Raises ValueError, which names those that exist."""
    if name not in STAGES:
        raise ValueError(f"There is no stage {name!r}; cdk/config.py has: {', '.join(STAGES)}.")
    return STAGES[name]
