"""The options of a kick-off: what each is called, what it may be, and who may give it.

The models are what every surface takes: the SDK, its asynchronous twin, HTTP, the command line, schedules
and the stack. The TypedDicts beside them are the same options as the SDK's typed keywords.
tests/unit/test_options.py holds all surfaces to these models.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import timedelta
from typing import Any, Final, TypedDict, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from background_jobs.core import limits
from background_jobs.core.bounds import (
    CauseId,
    Channels,
    Indices,
    Key,
    OrchestrationId,
    Parallelism,
    ServiceName,
    Tags,
    TimeoutSeconds,
    to_seconds,
)
from background_jobs.core.errors import InvalidKickOff
from background_jobs.core.json_places import show
from background_jobs.core.lineage import RerunOnly
from background_jobs.core.payloads import TOO_DEEP, is_too_deep
from background_jobs.core.refused_values import explain_refused
from background_jobs.core.retry import Retry
from background_jobs.core.stages import Stage, walk_stages

_STAGE: Final = TypeAdapter(Stage)


class RunOptions(BaseModel):
    """The options of everything that is started: kick-offs, reruns, and the occurrences of schedules."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    parallelism: Parallelism | None = Field(
        default=None, description="The containers that work at once; null for one each, up to the limit."
    )
    retry: Retry | None = Field(default=None, description="Overrides the job's own.")
    timeout: TimeoutSeconds | None = Field(
        default=None,
        alias="timeout_seconds",
        description="Ends the orchestration: what has no outcome by then is Errored.",
    )

    notify: Channels | None = Field(
        default=None, description="The channels of the environment that hear of the end."
    )

    @field_validator("retry")
    @classmethod
    def _retry_fits_the_event(cls, retry: Retry | None) -> Retry | None:
        if retry and (size := len(retry.model_dump_json())) > limits.RETRY_BYTES:
            raise ValueError(
                f"the retry is {size:,} bytes of JSON, and {limits.RETRY_BYTES:,} is the most; name a class "
                "from which its exceptions are derived"
            )
        return retry


class RerunOptions(RunOptions):
    """The options of a rerun; service and stages are those of the orchestration that runs again."""

    only: RerunOnly | None = Field(
        default=None,
        description="Which instances run again, by their status: by default those that failed or, where "
        "indices are named, all of these. Unrepaired are those that failed and have completed in no rerun.",
    )
    cause: CauseId | None = Field(
        default=None, description="The id of a cause: its failures alone run again."
    )
    indices: Indices | None = Field(
        default=None, description="Indices and ranges of them, such as `0-99,250`: these alone run again."
    )
    params: dict[str, Any] | None = Field(
        default=None, description="The params in place of those of the one instance that runs again."
    )
    params_patch: dict[str, Any] | None = Field(
        default=None, description="A JSON merge patch (RFC 7396) that changes the params of each."
    )
    next_stages: bool = Field(
        default=False,
        description="Whether the next stages run for what the rerun completes, though they began without it. "
        "What failed and has not gone on by another such rerun runs again then.",
    )
    key: Key | None = Field(default=None, description="Makes the rerun idempotent.")
    tags: Tags | None = Field(default=None, description="By default those of the orchestration.")

    @field_validator("next_stages")
    @classmethod
    def _pass_on_once(cls, next_stages: bool, known: ValidationInfo) -> bool:  # noqa: FBT001 -- pydantic's own
        if next_stages and (only := known.data.get("only")) in {"completed", "all"}:
            raise ValueError(
                f"with next_stages what failed runs again; leave out only={only!r}, for what has gone on to "
                "the next stages would go on twice"
            )
        return next_stages


class OccurrenceOptions(RunOptions):
    """The options of every occurrence of a schedule; its id follows from the schedule and the time."""

    tags: Tags = Field(default_factory=dict, description="They travel with every event.")
    service: ServiceName | None = Field(default=None, description="The service that runs the job.")
    then: Stage | None = Field(default=None, description="What follows once it has completed.")

    @field_validator("then")
    @classmethod
    def _fits_the_event(cls, then: Stage | None) -> Stage | None:
        if (count := sum(1 for _ in walk_stages(then))) > limits.STAGES:
            raise ValueError(
                f"{count:,} stages are to follow, and {limits.STAGES} is the most; "
                "a rule of the stack can start what comes after"
            )
        document = _STAGE.dump_json(then) if then else b""
        if (size := len(document)) > limits.STAGES_BYTES:
            raise ValueError(
                f"the stages that follow are {size:,} bytes of JSON, and "
                f"{limits.STAGES_BYTES:,} is the most; put large params into S3 and pass their key"
            )
        if then and is_too_deep(_STAGE.dump_python(then, mode="json"), document):
            raise ValueError(f"in the stages that follow {TOO_DEEP}")
        return then

    def kick_off_options(self, tags: Mapping[str, str]) -> "KickOffOptions":
        """Return the options of one occurrence, with *tags* beside its own; they were checked before."""
        options = keywords_of(OccurrenceOptions, self) | {"tags": self.tags | dict(tags)}
        return KickOffOptions.model_construct(**options)


class KickOffOptions(OccurrenceOptions):
    """The options of a kick-off."""

    key: Key | None = Field(
        default=None, description="Makes it idempotent: the same key with the same params re-attaches."
    )
    parent_id: OrchestrationId | None = Field(
        default=None, description="The orchestration that this one follows, as a note."
    )

    @classmethod
    def of_stage(
        cls, stage: Stage, *, tags: Mapping[str, str], service: str, notify: Sequence[str] = ()
    ) -> "KickOffOptions":
        """Return the options of *stage*, with the tags, channels and, by default, service of that before.

        Raises InvalidKickOff.
        """
        values = {field.name: getattr(stage, field.name) for field in fields(stage)}
        values["service"] = stage.service or service
        options = read_options(cls, {name: values[name] for name in cls.model_fields.keys() & values.keys()})
        return options.with_tags(tags).model_copy(update={"notify": tuple(notify) or None})

    def with_tags(self, tags: Mapping[str, str]) -> "KickOffOptions":
        """Return the options with the tags of another orchestration.

        These were checked when they came in, and may have those of a schedule beside the caller's own.
        """
        return self.model_copy(update={"tags": dict(tags)})


class RunKeywords(TypedDict, total=False):
    """The keywords of everything that is started, as `RunOptions` has them."""

    parallelism: int | None
    retry: Retry | None
    timeout: float | timedelta | None
    notify: str | Sequence[str] | None


class RerunKeywords(RunKeywords, total=False):
    """The keywords of `Orchestration.rerun`, which says what each means."""

    only: RerunOnly | None
    cause: str | None
    indices: str | int | Iterable[int] | None
    params: Mapping[str, Any] | None
    params_patch: Mapping[str, Any] | None
    next_stages: bool | None
    key: str | None
    tags: Mapping[str, str] | None


class OccurrenceKeywords(RunKeywords, total=False):
    """The keywords that `schedule_job` and `kick_off_job` share."""

    tags: Mapping[str, str] | None
    service: str | None
    then: Stage | None


class KickOffKeywords(OccurrenceKeywords, total=False):
    """The keywords of `OrchestrationService.kick_off_job`, which says what each means."""

    key: str | None
    parent_id: str | None


_Options = TypeVar("_Options", bound=RunOptions)


def read_options(
    model: type[_Options], keywords: Mapping[str, object], most: int = limits.PARALLELISM
) -> _Options:
    """Return *keywords* as options that were checked; None stands for the default.

    *most* is how many containers may work at once. Raises InvalidKickOff, or TypeError for a keyword that
    does not exist.
    """
    check_keywords(model, keywords)
    try:
        return model.model_validate({name: value for name, value in keywords.items() if value is not None})
    except ValidationError as invalid:
        raise InvalidKickOff(_explain(invalid, most)) from None


def keywords_of(model: type[RunOptions], options: RunOptions) -> dict[str, Any]:
    """Return those of *options* that *model* has, by the names of the SDK's keywords.

    >>> keywords_of(RunOptions, RerunOptions(key="again", parallelism=2))
    {'parallelism': 2, 'retry': None, 'timeout': None, 'notify': None}
    """
    return {name: getattr(options, name) for name in model.model_fields}


def check_keywords(model: type[BaseModel], keywords: Mapping[str, object]) -> None:
    """Raise TypeError for a keyword that *model* does not have, as Python does."""
    for name in keywords:
        if name not in model.model_fields:
            raise TypeError(f"there is no option {name!r}; there are: {', '.join(model.model_fields)}")


def _explain(invalid: ValidationError, most: int) -> str:
    """Return in one sentence why an option was refused."""
    error = invalid.errors(include_url=False)[0]
    name = str(error["loc"][0]).removesuffix("_seconds")
    if error["type"] == "value_error":
        reason = str(error["ctx"]["error"])
        return f"{reason[0].upper()}{reason[1:]}."
    if error["type"] == "string_unicode":
        return f"{name}: it has characters that are no text (UTF-8)."
    if name == "parallelism":
        return explain_parallelism(error["input"], most)
    explain = _SENTENCES.get(name)
    return explain(error["input"]) if explain else f"{explain_refused(invalid)}."


def explain_parallelism(parallelism: object, most: int) -> str:
    """Return why *parallelism* cannot be where *most* containers are allowed."""
    number = "" if type(parallelism) is int else "a whole number "
    return (
        f"parallelism={show(parallelism)} must be {number}from 1 to {most}, the limit of this environment "
        "(the setting BACKGROUND_JOBS_MAX_PARALLELISM)."
    )


def explain_service(name: object) -> str:
    """Return why *name* can be no service."""
    most = limits.SERVICE_NAME_CHARACTERS
    return f"service={show(name)} cannot be: a name has 1 to {most} lower-case letters, digits and hyphens."


def explain_channels(channels: object) -> str:
    """Return why *channels* can be no channels."""
    return (
        f"notify={show(channels)}: give the names of channels that environments.py declares ("
        'notifications=...), such as notify=["ops"]; an address or an ARN is declared there.'
    )


def explain_unknown_channel(channel: str, known: Sequence[str]) -> str:
    """Return that *known* channels have no *channel*, and what to do."""
    there = f"It has: {', '.join(known)}." if known else "It has none."
    return (
        f"There is no channel {channel!r} in this environment. {there} Check the spelling, or declare it in "
        "environments.py (notifications=...) and deploy; offline, with --webhook or LocalStack(notify=...)."
    )


_SENTENCES: Final[Mapping[str, Callable[[object], str]]] = {
    "timeout": lambda value: (
        f"A timeout of {show(value)} cannot be: a number of seconds or a timedelta is needed, not a text."
        if isinstance(value, str)
        else f"A timeout of {show(to_seconds(value))} s cannot be: use more than 0, and up to "
        f"{limits.TIMEOUT_DAYS} days."
    ),
    "key": lambda value: (
        f"A key has 1 to {limits.KEY_CHARACTERS} characters, not {len(value)}."
        if isinstance(value, str)
        else f"key={show(value)}: a key is a str."
    ),
    "service": explain_service,
    "notify": explain_channels,
    "tags": lambda _: f"tags must map str to str, with up to {limits.TAG_CHARACTERS} characters in all.",
    "cause": lambda value: (
        f"cause={show(value)} is no id of a cause; `background-jobs failures ID` shows the ids."
    ),
    "params": lambda value: f"params={show(value)}: params are an object, with text for its keys.",
    "params_patch": lambda value: (
        f"params_patch={show(value)}: a patch is an object with what is to change, and null for what goes."
    ),
    "parent_id": lambda value: f"parent_id={show(value)} is no id of an orchestration.",
}
