"""The limits of AWS that an orchestration meets, and how much of each it uses."""

import json
import math
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict, computed_field

from background_jobs.core.containers.advice import VCPU_QUOTAS
from background_jobs.core.containers.variables import (
    CONTAINER_NAME,
    JOB_ID,
    JOB_INDICES,
    JOB_NAME,
    JOB_PARAMS_BYTES,
    JOB_PARAMS_KEY,
    JOB_SHARE,
    ORCHESTRATION_ID,
)
from background_jobs.core.events import PARTITION_SIZE
from background_jobs.core.limits import (
    APPEND_SECONDS,
    CONTAINER_SECONDS,
    PARALLELISM,
    SERVICE_NAME_CHARACTERS,
)
from background_jobs.core.payload_keys import payload_folder
from background_jobs.core.planning.blocks_written import FASTEST_INSTANCE
from background_jobs.core.planning.fargate import START_SECONDS, TaskSize, at_once
from background_jobs.core.planning.footprint import TRANSACTION, Footprint, Run
from background_jobs.core.ranges import InclusiveRange

NEW_ACCOUNT_VCPUS: Final = 6
"""Fargate vCPUs at once, on demand and Spot each, until AWS has raised the quota; the console shows yours."""
WARNING: Final = 0.8
"""The part of a limit from which on a plan warns."""
_OVERRIDE_CHARACTERS: Final = 8_192
_PARTITION_UNITS: Final = 1_000
_NEW_TABLE_UNITS: Final = 4_000
_WARM: Final = "set warm_throughput of the environment, or writes wait while they are throttled"
_PAYLOAD_BYTES: Final = 256 * 1024
_JOB_NAME: Final = "j" * 64
_SERVICE: Final = "s" * SERVICE_NAME_CHARACTERS
_ID: Final = "7c0e0b9a-0f0f-4c0e-9d6e-6b6a6f6f6273"


class Demand(NamedTuple):
    """What an orchestration demands of the quotas."""

    run: Run
    used: Footprint
    size: TaskSize
    share: int
    """Instances in the fullest container."""
    share_seconds: float
    """How long the fullest container works, with as many instances at once as the job has concurrency."""
    seconds: float
    """From kick-off to completion."""
    warm: int = 0
    """Warm workers, which run whether they have a share or not."""

    @property
    def launches(self) -> int:
        """Return how many containers are launched beside the warm workers."""
        return max(0, self.run.containers - self.warm)


class QuotaUse(BaseModel):
    """How much of a limit is used."""

    model_config = ConfigDict(frozen=True)

    name: str
    used: float
    limit: float
    advice: str = ""
    """What to do when it is short."""

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own way to put a property into the JSON
    @property
    def warns(self) -> bool:
        """Tell whether at least 80 % of the limit are used."""
        return self.used >= WARNING * self.limit

    @property
    def is_exceeded(self) -> bool:
        """Tell whether more than the limit is used."""
        return self.used > self.limit


def headroom(demand: Demand, *, vcpu_quota: float = NEW_ACCOUNT_VCPUS) -> tuple[QuotaUse, ...]:
    """Return what *demand* uses of each limit, the fullest first."""
    uses = (
        _vcpus(demand, vcpu_quota),
        _children(demand),
        _overrides(demand),
        _execution_payload(),
        _container_time(demand),
        _log_partition(demand),
        _log_table(demand),
        _read_model_partition(demand),
        _read_model_table(demand),
        _memory(demand),
    )
    return tuple(sorted(uses, key=lambda use: -use.used / use.limit))


def _vcpus(demand: Demand, quota: float) -> QuotaUse:
    spot, fit = demand.size.spot, max(1, int(quota // demand.size.vcpus))
    launched = at_once(demand.launches, max(START_SECONDS) + demand.run.share_seconds)
    fewer = f"keep {fit:,} warm workers at most and " if demand.warm > fit else ""
    return QuotaUse(
        name=f"Fargate {'Spot' if spot else 'On-Demand'} vCPUs",
        used=(demand.warm + launched) * demand.size.vcpus,
        limit=quota,
        advice=f"have it raised (Service Quotas, {VCPU_QUOTAS[spot].code}), or {fewer}kick off with a "
        f"parallelism of {fit:,} at most: launches that are refused are tried again, and cost more than the "
        "work where many wait for long",
    )


def _children(demand: Demand) -> QuotaUse:
    return QuotaUse(
        name="Children of a Map Run",
        used=demand.run.containers,
        limit=PARALLELISM,
        advice="use fewer containers; this one is fixed",
    )


def _overrides(demand: Demand) -> QuotaUse:
    return QuotaUse(
        name="Characters of RunTask overrides",
        used=override_characters(demand.run),
        limit=_OVERRIDE_CHARACTERS,
    )


def override_characters(run: Run) -> int:
    """Return the length of what the state machine injects into the last container of *run*."""
    last, last_byte = run.total - 1, run.total * run.params_bytes - 1
    injected = {
        JOB_NAME: _JOB_NAME,
        ORCHESTRATION_ID: _ID,
        JOB_ID: _ID,
        JOB_SHARE: str(run.containers - 1),
        JOB_INDICES: str(InclusiveRange(last, last)),
        JOB_PARAMS_KEY: f"{payload_folder(_SERVICE, _ID)}/{'0' * 16}/params.jsonl",
        JOB_PARAMS_BYTES: str(InclusiveRange(last_byte, last_byte)),
    }
    variables = [{"Name": name, "Value": value} for name, value in injected.items()]
    override = {"Name": CONTAINER_NAME, "Environment": variables}
    return len(json.dumps({"ContainerOverrides": [override]}))


def _execution_payload() -> QuotaUse:
    """Return what the input of the execution takes; its output is empty, whatever the fan-out."""
    ids_and_keys = 1_024
    return QuotaUse(name="Bytes of Step Functions input", used=ids_and_keys, limit=_PAYLOAD_BYTES)


def _container_time(demand: Demand) -> QuotaUse:
    return QuotaUse(
        name="Seconds of one container",
        used=demand.share_seconds,
        limit=CONTAINER_SECONDS,
        advice="use more containers: this one is stopped then, and launched again four times",
    )


def _working(demand: Demand) -> int:
    return at_once(demand.run.containers, demand.run.share_seconds)


def _units_per_second(run: Run) -> float:
    """Return what one container writes into the log, in write units a second."""
    seconds = max(run.share_seconds, run.total / run.containers * FASTEST_INSTANCE)
    return run.estimate_blocks().write_units / run.containers / max(seconds, APPEND_SECONDS)


def _log_partition(demand: Demand) -> QuotaUse:
    writers = min(_working(demand), PARTITION_SIZE, math.ceil(PARTITION_SIZE / demand.share) + 1)
    return QuotaUse(
        name="Write units a second in one partition of the log",
        used=writers * _units_per_second(demand.run),
        limit=_PARTITION_UNITS,
        advice="use fewer containers, which share fewer partitions; throttled appends wait",
    )


def _log_table(demand: Demand) -> QuotaUse:
    return QuotaUse(
        name="Write units a second in a new log table",
        used=_working(demand) * _units_per_second(demand.run),
        limit=_NEW_TABLE_UNITS,
        advice=_WARM,
    )


def _read_model_partition(demand: Demand) -> QuotaUse:
    """Return the use of the summary's partition, which takes one item of each commit; no other takes more."""
    return QuotaUse(
        name="Write units a second in one partition of the read model",
        used=TRANSACTION * demand.used.commits / max(1.0, demand.seconds),
        limit=_PARTITION_UNITS,
    )


def _read_model_table(demand: Demand) -> QuotaUse:
    return QuotaUse(
        name="Write units a second in a new table of the read model",
        used=demand.used.model_write_units / max(1.0, demand.seconds),
        limit=_NEW_TABLE_UNITS,
        advice=_WARM,
    )


def _memory(demand: Demand) -> QuotaUse:
    return QuotaUse(
        name="Bytes of memory for the params of a share",
        used=2 * demand.share * demand.run.params_bytes,
        limit=demand.size.memory_mib * 1024**2,
        advice="use more containers, more memory, or put the data into S3 and pass its key",
    )
