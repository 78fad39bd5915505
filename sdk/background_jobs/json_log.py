"""Log records as lines: of JSON, to be read by machines, or for people."""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

FOR_PEOPLE: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
"""The format of a line that nobody but people reads."""
_RESERVED: Final = frozenset({"exception", "job_id", "index", "attempt"})
"""Fields that only some lines have."""
_STANDARD_FIELDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One object a line: the record, the fields that *context* returns at that moment, and its ``extra``."""

    def __init__(self, context: Callable[[], Mapping[str, object]] = dict) -> None:
        super().__init__()
        self._context = context

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        fields: dict[str, object] = {
            "level": record.levelname,
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "logger": record.name,
            "message": record.getMessage(),
            **self._context(),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        for name, value in vars(record).items():
            if name not in _STANDARD_FIELDS:
                # What was added must not say of the line whose it is, nor when it was written.
                fields[f"extra.{name}" if name in fields or name in _RESERVED else name] = value
        try:
            return _to_json(fields)
        except Exception:  # noqa: BLE001 -- the line must not be lost with what somebody added to it
            return _to_json({name: _as_json(value) for name, value in fields.items()})


def _to_json(fields: dict[str, object]) -> str:
    return json.dumps(fields, default=str, ensure_ascii=False)


def _as_json(value: object) -> object:
    """Return *value*, or as text what JSON does not have: keys that are tuples, and what holds itself."""
    try:
        json.dumps(value, default=str)
    except Exception as error:  # noqa: BLE001 -- whatever its own methods raise
        try:
            return repr(value)
        except Exception:  # noqa: BLE001 -- see above
            return f"cannot be written ({type(error).__name__})"
    return value
