"""The only reader of variables: each setting is named once, for the stack and for the code."""

import json
import os
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from background_jobs.core.containers.variables import (
    JOB_ID,
    JOB_INDICES,
    JOB_NAME,
    JOB_PARAMS_BYTES,
    JOB_PARAMS_KEY,
    JOB_SHARE,
    ORCHESTRATION_ID,
)
from background_jobs.core.containers.warm import WARM_QUEUE, WarmWorkers
from background_jobs.core.errors import InvalidSettings, MissingSettings
from background_jobs.core.limits import DEFAULT_PARALLELISM, PARALLELISM
from background_jobs.core.refused_values import require
from background_jobs.core.retention import Retention

PREFIX: Final = "BACKGROUND_JOBS_"
HOLDER: Final = f"{PREFIX}HOLDER"
"""The variable with the id of the process that holds the share."""
SETTINGS_FILE: Final = f"{PREFIX}SETTINGS_FILE"
"""The variable that names a JSON file with further variables, where all of them are more than may be set.

A function of Lambda has 4 KB for its variables, which the names of some 150 jobs fill. What is set counts
before what is in the file.
"""


DEFAULT_SERVICE: Final = "default"
"""The service of an environment that names none."""


def _split_names(value: object) -> object:
    return tuple(filter(None, value.split(","))) if isinstance(value, str) else value


def _split_pairs(value: object) -> object:
    return dict(_pairs(value)) if isinstance(value, str) else value


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for pair in filter(None, text.split(",")):
        name, _, one = pair.partition("=")
        yield name, one


def _read_warm_workers(value: object) -> object:
    if not isinstance(value, str):
        return value
    return {name: WarmWorkers.from_text(one) for name, one in dict(_pairs(value)).items()}


def _strip_slash(value: object) -> object:
    return value.rstrip("/") if isinstance(value, str) else value


def _join(value: object) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}={one}" for name, one in value.items())
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _with_file(variables: Mapping[str, str]) -> Mapping[str, str]:
    """Return *variables* with those of the settings file, if they name one. Raises InvalidSettings."""
    path = variables.get(SETTINGS_FILE)
    if not path:
        return variables
    try:
        stored: dict[str, str] = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as unreadable:
        raise InvalidSettings(SETTINGS_FILE, path, f"it cannot be read: {unreadable}") from unreadable
    return stored | dict(variables)


Names = Annotated[tuple[str, ...], BeforeValidator(_split_names)]
Pairs = Annotated[dict[str, str], BeforeValidator(_split_pairs)]
Warm = Annotated[dict[str, WarmWorkers], BeforeValidator(_read_warm_workers)]
Days = Annotated[dict[str, Annotated[int, Field(ge=1)]], BeforeValidator(_split_pairs)]
Mebibytes = Days
_Containers = Annotated[int, Field(ge=1, le=PARALLELISM)]


class FromVariables(BaseModel):
    """Settings that are variables of the process."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read every field from *environ*, by default the variables of this process.

        Raises MissingSettings, which names every absent one, or InvalidSettings.
        """
        variables = _with_file(os.environ if environ is None else environ)
        names = {field: cls.variable(field) for field in cls.model_fields}
        present = {field: variables[name] for field, name in names.items() if variables.get(name)}
        try:
            return cls.model_validate(present)
        except ValidationError as invalid:
            # pydantic locates a field that has an alias by that alias, which is its variable already.
            located = [(str(error["loc"][0]), error) for error in invalid.errors()]
            problems = [(names.get(where, where), error) for where, error in located]
        if missing := [name for name, error in problems if error["type"] == "missing"]:
            raise MissingSettings(missing)
        name, error = problems[0]
        raise InvalidSettings(name, str(error["input"]), require(error) or error["msg"])

    def to_env(self) -> dict[str, str]:
        """Return the variables from which `from_env` makes these settings again."""
        return self.scalars_to_env() | self.lists_to_env()

    def scalars_to_env(self) -> dict[str, str]:
        """Return the variables whose size does not grow with an environment's services and jobs."""
        return {
            self.variable(field): _join(value)
            for field in type(self).model_fields
            if (value := getattr(self, field)) is not None and not isinstance(value, tuple | dict)
        }

    def lists_to_env(self) -> dict[str, str]:
        """Return the variables that grow: names, and what is by name. They may be in the file instead."""
        return {
            self.variable(field): _join(value)
            for field in type(self).model_fields
            if (value := getattr(self, field)) and isinstance(value, tuple | dict)
        }

    @classmethod
    def variable_names(cls) -> frozenset[str]:
        """Return the variables that are read."""
        return frozenset(map(cls.variable, cls.model_fields))

    @classmethod
    def required_variables(cls) -> frozenset[str]:
        """Return those without which there are no settings."""
        fields = cls.model_fields.items()
        return frozenset(cls.variable(name) for name, field in fields if field.is_required())

    @classmethod
    def has_any(cls) -> bool:
        """Tell whether a required variable, or a file of settings, is set in this process."""
        return not (cls.required_variables() | {SETTINGS_FILE}).isdisjoint(os.environ)

    @classmethod
    def variable(cls, field: str) -> str:
        """Return the variable from which *field* is read."""
        return cls.model_fields[field].alias or PREFIX + field.upper()


class Settings(FromVariables):
    """The tables, bucket and bus of an environment; read by callers, containers and Lambdas alike.

    Every field is the variable ``BACKGROUND_JOBS_<FIELD>``.
    """

    environment: str
    event_log_table: str
    read_model_table: str
    payload_bucket: str
    event_bus: str = "background-jobs"
    service: str = DEFAULT_SERVICE
    """The service that runs a job when kick_off_job names none."""
    service_names: Names = ()
    """The services of the environment, comma-separated, where known; kick-off then refuses others."""
    max_parallelism: _Containers = DEFAULT_PARALLELISM
    """The most containers that one orchestration may use."""
    default_parallelism: _Containers | None = None
    """How many it uses where its kick-off names no parallelism; None for as many as it may."""
    job_names: Names = ()
    """The jobs of all services, comma-separated; if they are known, a kick-off refuses others."""
    notify_channels: Names = ()
    """The channels that a kick-off may name to hear of its end, comma-separated."""
    retention_days: int = Field(default=90, ge=1)
    """How long events, read model and payloads are kept."""
    service_retention_days: Days = Field(default_factory=dict)
    """The same for services that have days of their own: ``billing=365,reports=7``."""
    service_memory_limits: Mebibytes = Field(default_factory=dict)
    """By service, with how much memory a container is launched again that ran out of it, at most: in MiB."""
    api_url: Annotated[str, BeforeValidator(_strip_slash)] = Field(default="", pattern=r"^(https?://.+)?$")
    """The address of the progress API, without a slash at its end.

    Where it is empty, the SDK watches the read model.
    """
    console_url: str = ""
    """The address of the console where people sign in, before ``#``; empty where the API's own serves it."""
    schedule_function: str = ""
    """The ARN of the function that schedules invoke; making schedules needs it and the next two."""
    schedule_role: str = ""
    """The ARN of the role in which Scheduler invokes it."""
    schedule_failures: str = ""
    """The ARN of the queue for what Scheduler could not deliver."""

    @property
    def console(self) -> str:
        """Return the address of the console, before ``#``; empty where none is known."""
        return self.console_url or (self.api_url and f"{self.api_url}/")

    @property
    def retention(self) -> Retention:
        """Return how long the environment keeps what belongs to each service."""
        return Retention(self.retention_days, self.service_retention_days)

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, str]) -> Self:
        """Make the settings from the outputs of a deployed stack, as `to_outputs` wrote them.

        Raises MissingSettings or InvalidSettings.
        """
        fields = cls.model_fields
        return cls.from_env({cls.variable(field): outputs.get(output_name(field), "") for field in fields})

    def to_outputs(self) -> dict[str, str]:
        """Return the stack outputs that describe these settings, by output name."""
        env = self.to_env()
        variables = {field: self.variable(field) for field in type(self).model_fields}
        return {output_name(field): env[name] for field, name in variables.items() if name in env}


def output_name(field: str) -> str:
    """Return the name of the stack output that carries the setting *field*.

    >>> output_name("event_log_table")
    'EventLogTable'
    """
    return "".join(part.capitalize() for part in field.split("_"))


class ExecutionSettings(FromVariables):
    """The further settings of the functions that start and end executions."""

    state_machine_arn: str
    cluster_arn: str
    capacity_providers: Pairs = Field(default_factory=dict)
    """By service, its capacity provider in ECS, where that is not FARGATE: ``reports=FARGATE_SPOT``."""
    platform_versions: Pairs = Field(default_factory=dict)
    """By service, its platform version of Fargate, where that is not the latest: ``reports=1.4.0``."""
    warm_workers: Warm = Field(default_factory=dict)
    """By service, its warm workers, where it has some: ``reports=2 idle 30``."""


class WarmSettings(FromVariables):
    """The further settings of the function that keeps warm workers, where there are some."""

    cluster_arn: str = ""
    capacity_providers: Pairs = Field(default_factory=dict)
    warm_workers: Warm = Field(default_factory=dict)
    """All three are those of ExecutionSettings."""


class StreamSettings(FromVariables):
    """The further setting of the functions that follow the event log's stream."""

    failure_queue: str
    """The address of the queue of what they give up."""


class StallSettings(FromVariables):
    """When an orchestration counts as stalled."""

    stalled_after_seconds: float = Field(default=3_600, gt=0)
    """Seconds without any change."""


class NotifySettings(FromVariables):
    """The further settings of the function that notifies."""

    channels: str
    """The channels as JSON, which `core.notifications.channels` reads and writes."""
    console_url: str = ""
    """Where the console is, without a slash at its end; empty where it is not known."""


class Authorization(StrEnum):
    """How callers of the progress API authenticate."""

    NONE = "none"
    """Not at all: whoever reaches the API is a caller."""
    IAM = "iam"
    """By the signature of their requests (SigV4)."""
    USER_POOL = "user_pool"
    """By a token of a user pool of Amazon Cognito."""


STREAM_TOKENS_OF_PROCESS: Final = "process"
NO_STREAM_TOKENS: Final = "none"


class ApiSettings(FromVariables):
    """How the progress API streams; the defaults are for a server outside of Lambda."""

    stream_poll_seconds: float = Field(default=0.1, gt=0)
    """Seconds between two reads of the read model while somebody watches a changing orchestration."""
    stream_padding_bytes: int = Field(default=0, ge=0)
    """Bytes that follow each event, to push it through a buffer (Lambda has one, and no flush)."""
    stream_seconds: float | None = Field(default=None, gt=0)
    """After how many seconds a stream ends, and its client resumes on another; None for never."""
    json_log: bool = False
    """Whether the log is written for machines."""
    authorization: Authorization = Authorization.NONE
    """How callers authenticate, for the description of the API; API Gateway is who asks for it."""
    cors_origins: Names = ()
    """The sites whose pages in a browser may call the API, comma-separated: ``https://app.example``."""
    stream_token_key: str = STREAM_TOKENS_OF_PROCESS
    """The ARN of the KMS key of stream tokens; `process` for a key of this process, `none` for no tokens."""
    user_pool_scopes: bool = False
    """Whether callers may do what the scopes and groups of their tokens say, and not all; on Lambda only."""
    allowed_hosts: Names = ("127.0.0.1", "localhost")
    """The hosts that requests may name, comma-separated; ``*`` for any."""


class SignInSettings(FromVariables):
    """How people sign in to the console; without an issuer they do not."""

    sign_in_issuer: str = Field(
        default="", pattern=r"^(https://.+|http://(127\.0\.0\.1|localhost)(:\d+)?(/.*)?)?$"
    )
    """The OpenID provider, by the address that its tokens name."""
    sign_in_client_id: str = ""
    """The client (the application) as which this API is known there."""
    sign_in_client_secret: str = ""
    """The ARN of the secret of the client; empty for a public client."""
    sign_in_session_secret: str = ""
    """The ARN of the secret under which cookies are sealed."""
    sign_in_readers: str = ""
    """The group of those who may read; ``*`` for all who sign in."""
    sign_in_operators: str = ""
    """The group of those who may also kick off and change."""
    sign_in_groups_claim: str = "groups"
    sign_in_name_claim: str = "email"
    console_url: str = ""
    """The address of the console, as browsers see it."""


class ContainerSettings(FromVariables):
    """The variables that the state machine injects into one container: its job and its share of instances."""

    job_name: str = Field(alias=JOB_NAME)
    orchestration_id: str = Field(alias=ORCHESTRATION_ID)
    job_id: str = Field(alias=JOB_ID)
    """The job_id of the first instance of the share."""
    share: int = Field(alias=JOB_SHARE)
    indices: str = Field(alias=JOB_INDICES, pattern=r"^\d+-\d+$")
    """First and last index of the share, both included: ``0-249``."""
    params_key: str = Field(alias=JOB_PARAMS_KEY)
    """The object of the payload bucket that holds the params, one JSON object a line."""
    params_bytes: str = Field(alias=JOB_PARAMS_BYTES, pattern=r"^\d+-\d+$")
    """The share's lines in that object, as an HTTP byte range: ``0-8191``."""
    service: str = "default"
    """The service whose task definition this is; the container reads and writes nothing of another."""
    metadata_uri: str = Field(default="", alias="ECS_CONTAINER_METADATA_URI_V4")
    """The address of the container's metadata, which have its log stream; set by ECS."""
    log: str = ""
    """The log of this container, if its launcher knows it beforehand."""
    task_definition: str = ""
    """The revision that it runs, ``<family>:<revision>``, if its launcher knows it beforehand."""
    warm: bool = False
    """Whether a warm worker has taken the share; its log then has other shares, too."""
    cpu: int | None = None
    memory_mib: int | None = None
    """The size of its task, in units of 1/1,024 vCPU and in MiB; None where it has none."""
    capacity_provider: str = ""
    """Its capacity provider in ECS; empty for Fargate on demand."""
    after_out_of_memory: bool = False
    """Whether the container before had less memory than this one, and ran out of it."""


class WarmWorkerSettings(FromVariables):
    """The variables of a warm worker, which is a container without a share."""

    queue: str = Field(alias=WARM_QUEUE)
    """The address of the queue of shares that are offered to it."""
    metadata_uri: str = Field(default="", alias="ECS_CONTAINER_METADATA_URI_V4")
    agent_uri: str = Field(default="", alias="ECS_AGENT_URI")
    """The address under which ECS takes the wish not to be stopped; set by ECS."""
    log: str = ""
    task_definition: str = ""
    """Both are those of ContainerSettings."""


def is_tracing_asked_for() -> bool:
    """Tell whether OpenTelemetry's variables name a collector, and do not switch it off."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    return any(os.environ.get(f"OTEL_EXPORTER_OTLP_{name}") for name in ("ENDPOINT", "TRACES_ENDPOINT"))


def publish_traceparent(traceparent: str | None) -> None:
    """Tell the programs that a job starts of which span they are."""
    if traceparent is not None:
        os.environ["TRACEPARENT"] = traceparent


def is_warm_worker() -> bool:
    """Tell whether this process has a queue of shares, and no share."""
    return WARM_QUEUE in os.environ and ORCHESTRATION_ID not in os.environ


def is_description_requested() -> bool:
    """Tell whether the job container is only asked which jobs it has (``BACKGROUND_JOBS_DESCRIBE=1``)."""
    return os.environ.get(f"{PREFIX}DESCRIBE") == "1"


def hold_share() -> bool:
    """Tell whether this process was given its share, and not inherited its variables from one that was.

    The first process that asks holds it.
    """
    process = str(os.getpid())
    return os.environ.setdefault(HOLDER, process) == process
