"""What all configurations share: they are frozen, and say by name and in sentences what they refuse."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationError,
    ValidatorFunctionWrapHandler,
)
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError, core_schema

from background_jobs.core.bounds import CHANNEL_NAME, SERVICE_NAME
from background_jobs.core.json_places import show
from background_jobs.core.limits import CHANNEL_NAME_CHARACTERS, SERVICE_NAME_CHARACTERS
from background_jobs.core.schedules.definition import SCHEDULE_NAME

_MEANINGS: Final[Mapping[str, str]] = {
    "account": "the 12 digits of an AWS account",
    "actions": "an action in full and without wildcards, as in 's3:GetObject'",
    "capacity_provider": "1 to 255 letters, digits, hyphens and underscores",
    "client_secret_arn": "the whole ARN of a secret of Secrets Manager, with the six characters at its end",
    "endpoints": "short names of services, as in 'sqs'",
    "environment": "1 to 20 lower-case letters, digits and hyphens",
    "event_log_table_name": "3 to 255 letters, digits, dots, hyphens and underscores",
    "event_bus": "1 to 256 letters, digits, dots, hyphens and underscores",
    "issuer": "an address without query, as in 'https://login.example.com'",
    "payload_bucket_name": "3 to 63 lower-case letters, digits, dots and hyphens",
    "platform_version": "'LATEST', or a version in full, as in '1.4.0'",
    "arn": "the ARN of an SNS topic",
    "read_model_table_name": "3 to 255 letters, digits, dots, hyphens and underscores",
    "region": "a region, as in 'eu-central-1'",
    "secret_arn": "the whole ARN of a secret of Secrets Manager, with the six characters at its end",
    "secrets": "the name of a variable: letters, digits and underscores",
    "security_group_id": "the id of a security group, as in 'sg-0a1b2c3d'",
    "subnet_ids": "the id of a subnet, as in 'subnet-0a1b2c3d'",
    "url": "an address without query, as in 'https://jobs.example.com'",
    "variables": "the name of a variable: letters, digits and underscores",
    "vpc_id": "the id of a VPC, as in 'vpc-0a1b2c3d'",
    "web_adapter_layer": "the ARN of a layer with its version",
    SCHEDULE_NAME: "1 to 64 letters, digits, hyphens, underscores and dots, with no dot first",
    CHANNEL_NAME: f"1 to {CHANNEL_NAME_CHARACTERS} lower-case letters, digits and hyphens",
    SERVICE_NAME: f"1 to {SERVICE_NAME_CHARACTERS} lower-case letters, digits and hyphens",
}
"""What must be given in place of what a regular expression refused: by field, or by expression."""


_KEY: Final = "[key]"
"""What pydantic calls the key of a dict."""


class ValidatedConfig(BaseModel):
    """A configuration whose ValidationError has one message: its name, and a sentence for each fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        # A validator of this class would be called before those of derived classes have spoken. What is
        # part of another configuration is complete, and wrapped already.
        if cls.__pydantic_complete__:
            return handler(source)
        return core_schema.no_info_wrap_validator_function(cls._validated, handler(source))

    @classmethod
    def _validated(cls, values: object, validate: ValidatorFunctionWrapHandler) -> object:
        try:
            return validate(values)
        except ValidationError as invalid:
            sentences = _sentences(invalid, list(cls.model_fields))
            raise ValueError(f"{cls._label(values)}: {sentences}") from None

    @classmethod
    def _label(cls, values: object) -> str:
        """Return what is configured: ``service 'billing'``; without a name, ``NewVpc``."""
        kind = cls.model_config.get("title") or cls.__name__
        given: Mapping[str, Any] = values if isinstance(values, Mapping) else {}
        # The name of an environment is in its field `environment`.
        name = given.get("name", given.get(kind))
        return kind if name is None else f"{kind} {show(name)}"


Whole = Annotated[int, Field(strict=True)]
"""A number that is written as one, and not as a text."""
YesNo = Annotated[bool, Field(strict=True)]


def _refuse_single(value: object) -> object:
    """Refuse a configuration where several go; pydantic would take its fields for them."""
    if isinstance(value, ValidatedConfig):
        raise PydanticCustomError("tuple_type", "a configuration is no tuple")
    return value


_Config = TypeVar("_Config", bound=ValidatedConfig)
Several = Annotated[tuple[_Config, ...], BeforeValidator(_refuse_single)]
"""Configurations of one kind."""


def explain(invalid: ValidationError) -> str:
    """Return why something was refused; what is no configuration, such as a Stage, is called by its class."""
    sentences = _sentences(invalid, ())
    return f"{invalid.title}: {sentences}" if any(error["loc"] for error in invalid.errors()) else sentences


def _sentences(invalid: ValidationError, fields: Sequence[str]) -> str:
    # Elements that were refused are missed once more, as too few.
    errors = [error for error in invalid.errors() if error["type"] != "too_short" or not error["input"]]
    return "; ".join(_sentence(error, fields) for error in errors)


def _sentence(error: ErrorDetails, fields: Sequence[str]) -> str:
    """Return what is wrong with one value; *fields* are those that there are, if they are known."""
    place = _place(error["loc"])
    match error["type"]:
        case "value_error":
            return str(error["ctx"]["error"])
        case "extra_forbidden" | "unexpected_keyword_argument":
            return f"there is no field {place}" + (f"; {did_you_mean(place, fields)}" if fields else "")
        case "missing":
            return f"{place} is missing"
        case "too_short" | "string_too_short":
            return f"{place} is empty"
        case "tuple_type":
            return f"{place} must be a tuple; one of a single element ends with a comma: (…,)"
        case "string_pattern_mismatch":
            fault = f"must be {_meaning(error)}"
        case _:
            _, _, duty = error["msg"].partition(" should ")
            fault = f"must {duty}" if duty else f"cannot be: {error['msg']}"
    return f"{place}{'=' if place else ''}{show(error['input'])} {fault}"


def _meaning(error: ErrorDetails) -> str:
    pattern = error["ctx"]["pattern"]
    return _MEANINGS.get(pattern) or _MEANINGS.get(str(error["loc"][0])) or f"a text like {pattern}"


def did_you_mean(name: str, names: Sequence[str]) -> str:
    """Return the question whether one of *names* that resembles *name* is meant; else what there is.

    >>> did_you_mean("memory", ["cpu", "memory_mib"])
    "did you mean 'memory_mib'?"
    >>> did_you_mean("colour", ["cpu", "memory_mib"])
    'there are: cpu, memory_mib'
    """
    close = get_close_matches(name, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(names)}"


def _place(location: tuple[int | str, ...]) -> str:
    """Return where in a configuration a value is: ``actions[0]``; nothing for all of it."""
    first, *rest = [part for part in location if part != _KEY] or ("",)
    return f"{first}{''.join(f'[{part!r}]' for part in rest)}"
