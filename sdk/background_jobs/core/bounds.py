"""The types of what callers and jobs write, each held to its bound in `core.limits`.

Names, keys, tags and numbers beyond their bound are refused. Texts that are there to be read, such as
messages and reasons, are cut: a job can always fail, and an old event can always be read.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from background_jobs.core import limits
from background_jobs.core.index_ranges import parse_ranges, to_ranges
from background_jobs.core.payloads import bounded, storable
from background_jobs.core.tags import CUSTOMER_TAG

SERVICE_NAME: Final = rf"^[a-z0-9][a-z0-9-]{{0,{limits.SERVICE_NAME_CHARACTERS - 1}}}$"
_NOTE_CHARACTERS: Final = 256
"""No note of how much was cut, with advice behind it, is longer."""
CHANNEL_NAME: Final = rf"^[a-z0-9][a-z0-9-]{{0,{limits.CHANNEL_NAME_CHARACTERS - 1}}}$"
ORCHESTRATION_ID: Final = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"

_NUMBER: Final = re.compile(r"\s*[+-]?[\d.]+\s*")
CAUSE_ID: Final = r"^[0-9a-f]{12}$"


def to_seconds(span: object) -> object:
    """Return a timedelta in seconds, and anything else as it is.

    >>> to_seconds(timedelta(minutes=2))
    120.0
    """
    return span.total_seconds() if isinstance(span, timedelta) else span


def _refuse_bool(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("no_bool", "a bool is no number")
    return value


NO_BOOL: Final = BeforeValidator(_refuse_bool)
"""Refuses True and False, which Python and pydantic take for 1 and 0."""


def _refuse_number(value: object) -> object:
    if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise PydanticCustomError("datetime_type", "a number is no date and time")
    return value


NO_NUMBER: Final = BeforeValidator(_refuse_number)
"""Refuses numbers as moments, which pydantic takes for the seconds since 1970: ``2026`` was in that year."""
Moment = Annotated[AwareDatetime, NO_NUMBER]


def _check_text(text: str) -> str:
    if storable(text) != text:
        raise ValueError(f"{text!r} has characters that are no text (UTF-8)")
    return text


def _check_tags(tags: Mapping[str, str]) -> Mapping[str, str]:
    texts = [text for tag in tags.items() for text in tag]
    if sum(map(len, texts)) > limits.TAG_CHARACTERS:
        raise ValueError(f"tags must map str to str, with up to {limits.TAG_CHARACTERS} characters in all")
    for text in texts:
        _check_text(text)
    if len(tags.get(CUSTOMER_TAG, "").encode()) > limits.CUSTOMER_BYTES:
        raise ValueError(
            f"the tag {CUSTOMER_TAG!r}, an index of the history, has up to {limits.CUSTOMER_BYTES} bytes"
        )
    return tags


def _as_several(names: object) -> object:
    return (names,) if isinstance(names, str) else names


def _check_channels(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(names) > limits.CHANNELS:
        raise ValueError(f"notify has {len(names)} channels, and {limits.CHANNELS} is the most")
    return tuple(dict.fromkeys(names))


def _cut_middle(limit: int) -> BeforeValidator:
    """Cut what is longer than *limit*, but leave what its writer has cut already and said so."""

    def cut(text: object) -> object:
        if not isinstance(text, str):
            return text
        text = storable(text)
        return text if len(text) <= limit + _NOTE_CHARACTERS else bounded(text, limit)

    return BeforeValidator(cut)


def _cut_end(limit: int) -> BeforeValidator:
    return BeforeValidator(lambda text: storable(text)[:limit] if isinstance(text, str) else text)


def _check_ranges(text: str) -> str:
    return ",".join(map(str, parse_ranges(text)))


JobName = Annotated[
    str, Field(min_length=1, max_length=limits.JOB_NAME_CHARACTERS), AfterValidator(_check_text)
]
ServiceName = Annotated[str, Field(pattern=SERVICE_NAME)]
ChannelName = Annotated[str, Field(pattern=CHANNEL_NAME)]
Channels = Annotated[tuple[ChannelName, ...], AfterValidator(_check_channels), BeforeValidator(_as_several)]
"""Names of channels; one alone may be a text."""
OrchestrationId = Annotated[str, Field(pattern=ORCHESTRATION_ID)]
Key = Annotated[
    str, Field(strict=True, min_length=1, max_length=limits.KEY_CHARACTERS), AfterValidator(_check_text)
]
Tags = Annotated[dict[str, str], AfterValidator(_check_tags)]
Customer = Annotated[str, Field(min_length=1, max_length=limits.CUSTOMER_BYTES)]
"""The value of the tag `customer`, as a filter."""
Parallelism = Annotated[int, Field(strict=True, ge=1, le=limits.PARALLELISM)]
TimeoutSeconds = Annotated[
    float,
    Field(strict=True, gt=0, le=limits.TIMEOUT_SECONDS, allow_inf_nan=False),
    BeforeValidator(to_seconds),
    NO_BOOL,
]
"""Seconds; a timedelta becomes seconds."""
TimeoutSpan = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(days=limits.TIMEOUT_DAYS)), NO_BOOL]
Traceparent = Annotated[str, Field(max_length=limits.TRACEPARENT_CHARACTERS)]
CauseId = Annotated[str, Field(pattern=CAUSE_ID)]
Indices = Annotated[str, BeforeValidator(to_ranges), AfterValidator(_check_ranges)]
"""Indices and ranges of them, `0-99,250`; whole numbers become such a text."""
Reason = Annotated[str, Field(max_length=limits.REASON_CHARACTERS)]
ErrorType = Annotated[str, _cut_middle(limits.ERROR_TYPE_CHARACTERS)]
ErrorMessage = Annotated[str, _cut_middle(limits.ERROR_MESSAGE_CHARACTERS)]
Traceback = Annotated[str, _cut_middle(limits.TRACEBACK_CHARACTERS)]
Note = Annotated[str, _cut_middle(limits.NOTE_CHARACTERS)]
Place = Annotated[str, _cut_middle(limits.PLACE_CHARACTERS)]
ProgressMessage = Annotated[str, _cut_end(limits.PROGRESS_CHARACTERS)]
CancelReason = Annotated[str, _cut_end(limits.REASON_CHARACTERS)]
Actor = Annotated[str, _cut_end(limits.ACTOR_CHARACTERS)]
"""Who did something, as far as it is known: an address, or the ARN of an identity."""
PageSize = Annotated[int, Field(ge=1, le=limits.LONGEST_PAGE)]
