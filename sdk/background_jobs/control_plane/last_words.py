"""What a container that failed wrote last: mostly the cause, where it died before its first event."""

import logging
import threading
import time
from functools import cache
from typing import Final

from background_jobs.aws import clients
from background_jobs.aws.task_definitions import TaskDefinitions
from background_jobs.core.errors import LogNotFound
from background_jobs.core.limits import LAST_LINES
from background_jobs.core.log_lines import parse_line, split_line
from background_jobs.core.task_failure import NOTHING_SAID, FailedTask, LastWords, TaskFailure
from background_jobs.orchestration_service.log_sources import read_last_lines

_LOOK_SECONDS: Final = 1.0
"""Between two looks: CloudWatch Logs shows a line some moments after it took it."""
_MOST_SECONDS: Final = 10.0
_READ_LINES: Final = 5 * LAST_LINES
"""How many lines are read, since the SDK's own are left out."""
_log: Final = logging.getLogger(__name__)


def read_last_words(failure: TaskFailure, looks: int = 1, seconds: float = _MOST_SECONDS) -> LastWords:
    """Return what the container of *failure* wrote last; nothing where none ran.

    It looks *looks* times, as long as nothing is there, for *seconds* at most. It raises nothing: whoever
    closes or launches again does not depend on a log, and says then at least where that is.
    """
    found = [NOTHING_SAID]
    # A call may hang for longer than the function may run.
    looking = threading.Thread(target=_look, args=(failure, looks, found), daemon=True)
    looking.start()
    looking.join(seconds)
    return found[-1]


def _look(failure: TaskFailure, looks: int, found: list[LastWords]) -> None:
    try:
        if failure.task is None or not (place := failure.task.log or _place(failure.task)):
            return
        found.append(LastWords(place))
        for look in range(looks):
            if look:
                time.sleep(_LOOK_SECONDS)
            if lines := _read(place):
                found.append(LastWords(place, tuple(lines[-LAST_LINES:])))
                return
    except Exception as error:  # noqa: BLE001 -- as said above
        _log.warning("The log %s of a container that failed cannot be read: %s", found[-1].log, error)


def _read(place: str) -> list[str]:
    try:
        texts = read_last_lines(place, _READ_LINES)
        lines = [parse_line(part) for text in texts for part in split_line(text)]
        return [text for line in lines if not line.is_noise for text in str(line).splitlines()]
    except LogNotFound:
        return []


def _place(task: FailedTask) -> str:
    streams = _find_streams(task.task_definition)
    return f"{streams}/{task.task_id}" if streams else ""


@cache
def _find_streams(task_definition: str) -> str:
    return TaskDefinitions(clients.ecs()).find_log_streams(task_definition)
