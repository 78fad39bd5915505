"""A line of a container's log: what it says, which instance wrote it, and whether it is the SDK's own."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from background_jobs.core.limits import LOG_LINE_CHARACTERS

_RECORD_BEGINS: Final = '{"level": "'
"""How every object begins that a container of ours writes."""
_OF_CONTAINERS: Final = ("timestamp", "logger", "message", "orchestration_id")
"""What every object has that a container of ours writes; objects without it are text of the job."""
_KNOWN: Final = frozenset(
    {*_OF_CONTAINERS, "level", "exception", "job_name", "share", "job_id", "index", "attempt"}
)
_HALF_A_CHARACTER: Final = re.compile(
    r"""((?<!\\)(?:\\\\)*)\\u(?:d[89ab][0-9a-f]{2}(?!\\ud[c-f][0-9a-f]{2})"""
    r"""|(?<!\\ud[89ab][0-9a-f]{2}\\u)d[c-f][0-9a-f]{2})""",
    re.IGNORECASE,
)
"""The escape of one half of a pair without the other, after any number of escaped backslashes."""
_SDK: Final = "background_jobs"
_LIBRARIES: Final = frozenset({"boto3", "botocore", "urllib3", "s3transfer"})
"""What the SDK calls AWS with, and what says at INFO where credentials were found."""
_SERIOUS: Final = frozenset({"ERROR", "CRITICAL"})
_UNIMPORTANT: Final = frozenset({"DEBUG", "INFO"})


class LogLine(BaseModel):
    """One line that a container wrote, by itself or through `logging`."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime | None = Field(description="When it was written; null where that is not known.")
    message: str = Field(description="The text, or that of the log record with its traceback.")
    index: int | None = Field(
        default=None, description="The job instance that wrote it; null where that is not known."
    )
    attempt: int | None = Field(default=None, description="Which attempt of the instance wrote it.")
    level: str = Field(default="", description="Of a log record: INFO, WARNING; empty for plain text.")
    logger: str = Field(
        default="", description="Of a log record; stdout and stderr for what was printed; else empty."
    )
    extra: dict[str, Any] = Field(default={}, description="What was added to the log record.")
    share: int | None = Field(default=None, description="The share of its container.")

    @property
    def is_noise(self) -> bool:
        """Return whether the SDK, or what it calls AWS with, speaks of its own work."""
        package = self.logger.partition(".")[0]
        if package == _SDK:
            return self.level not in _SERIOUS
        return package in _LIBRARIES and self.level in _UNIMPORTANT

    def __str__(self) -> str:
        """Return the text of the line, with what was added to its record."""
        added = " ".join(f"{name}={_as_text(value)}" for name, value in self.extra.items())
        return f"{self.message} {added}" if added else self.message


def split_line(text: str) -> list[str]:
    """Return *text*, or its two parts where a program that a job ran began the line and did not end it."""
    begin = text.find(_RECORD_BEGINS, 1)
    while begin > 0:
        if _read_record(text[begin:]) is not None:
            return [text[:begin], text[begin:]]
        begin = text.find(_RECORD_BEGINS, begin + 1)
    return [text]


def parse_line(text: str, at: datetime | None = None, share: int | None = None) -> LogLine:
    r"""Return the line *text*, which arrived *at* some time; a log record of ours is taken apart.

    Of a line that is too long the beginning is kept.

    >>> parse_line('{"timestamp": "2026-11-24T09:30:00+00:00", "level": "INFO", "logger": "stdout", '
    ...            '"message": "hello", "orchestration_id": "o", "index": 7, "attempt": 1}').index
    7
    >>> parse_line("hello").message
    'hello'
    """
    record = _read_record(text)
    if record is None:
        # Of a progress bar, which begins its line again and again, the last state is shown.
        return LogLine(at=at, message=bounded_line(text.rstrip("\r").rpartition("\r")[2]), share=share)
    exception = record.get("exception")
    message = f"{record['message']}\n{exception}" if exception else str(record["message"])
    return LogLine(
        at=_read_time(record["timestamp"]) or at,
        message=bounded_line(message),
        index=_read_number(record.get("index")),
        attempt=_read_number(record.get("attempt")),
        level=str(record.get("level", "")),
        logger=str(record["logger"]),
        extra={name: value for name, value in record.items() if name not in _KNOWN},
        share=share,
    )


def bounded_line(text: str) -> str:
    """Return *text*, or its beginning and a note of how much was left out."""
    rest = len(text) - LOG_LINE_CHARACTERS
    return text if rest <= 0 else f"{text[:LOG_LINE_CHARACTERS]}… ({rest:,} characters more)"


def _read_record(text: str) -> Mapping[str, Any] | None:
    """Return the object that *text* is, where a container of ours wrote it."""
    if not text.startswith("{"):
        return None
    try:
        # Half a character, as in names of files that are no UTF-8, could not be written again.
        record = json.loads(_HALF_A_CHARACTER.sub(r"\1\\ufffd", text))
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and record.keys() >= set(_OF_CONTAINERS) else None


def _read_time(value: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(value))
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):  # of the first or the last day that there is
        return None


def _read_number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
