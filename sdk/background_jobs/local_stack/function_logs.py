"""What the functions of an offline stack wrote, which the emulator has as CloudWatch Logs."""

import json
import re
from collections.abc import Iterator
from typing import Final

from background_jobs.aws.logs import Logs, StreamEvent

_GROUP: Final = re.compile(r".*/Functions(\w+?)Log[0-9A-F]{8}")
_UNIMPORTANT: Final = re.compile(r'(START RequestId|END RequestId|REPORT RequestId|INIT_START)\b|\{"_aws":')
"""What Lambda itself says of each invocation, and metrics."""


def read_function_line(text: str) -> tuple[str, str]:
    r"""Return the level and the text of a line that a function wrote; no level where it is no log record.

    >>> read_function_line('{"level": "ERROR", "message": "lost", "exception": "OSError: away"}')
    ('ERROR', 'lost\nOSError: away')
    """
    try:
        record = json.loads(text)
    except ValueError:
        return "", text.rstrip("\n")
    if not isinstance(record, dict) or "message" not in record:
        return "", text.rstrip("\n")
    parts = (record["message"], record.get("exception"))
    return str(record.get("level", "")), "\n".join(str(part) for part in parts if part)


class FunctionLogs:
    """The logs of all functions, of which more and more is read."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self._groups: dict[str, str] = {}
        self._seen: dict[str, set[StreamEvent]] = {}
        self._since: dict[str, int] = {}

    def read(self) -> list[tuple[str, StreamEvent]]:
        """Return the lines that came since the last call, each after the name of its function, by time.

        What Lambda itself says of each invocation, and metrics, are left out.
        """
        if not self._groups:
            groups = self._logs.groups()
            self._groups = {group: found[1] for group in groups if (found := _GROUP.fullmatch(group))}
        lines = [(name, event) for group, name in self._groups.items() for event in self._read(group)]
        return sorted(lines, key=lambda line: line[1].milliseconds)

    def _read(self, group: str) -> Iterator[StreamEvent]:
        since, seen = self._since.get(group, 0), self._seen.get(group, set())
        events = list(self._logs.read_group(group, since))
        latest = max((event.milliseconds for event in events), default=since)
        # Events of one millisecond may come in two calls.
        self._since[group] = latest
        self._seen[group] = {event for event in events if event.milliseconds == latest}
        yield from (event for event in events if event not in seen and not _UNIMPORTANT.match(event.text))
