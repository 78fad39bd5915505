"""Why a container failed, read from what Step Functions and ECS report about it."""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from background_jobs.core.containers.advice import advise
from background_jobs.core.containers.statuses import OUT_OF_MEMORY
from background_jobs.core.containers.variables import CONTAINER_NAME
from background_jobs.core.events import JobError
from background_jobs.core.limits import ERROR_MESSAGE_CHARACTERS
from background_jobs.core.payloads import bounded

NOT_LAUNCHED: Final = "NotLaunched"
LOST: Final = "ContainerLost"
TIMED_OUT: Final = "ContainerTimeout"
ORCHESTRATION_TIMEOUT: Final = "OrchestrationTimeout"
"""The types of the errors of instances whose container failed, or had no time left."""

LOG_FILE: Final = "LogFile"
"""The field of a container with the file that it wrote; the offline stack adds it to what ECS says."""
_TAIL_CHARACTERS: Final = 1_500
_QUOTED_CHARACTERS: Final = 300
_OUT_OF_MEMORY_ERROR: Final = "OutOfMemoryError"
_NEVER_STARTED: Final = "TaskFailedToStart"


class FailedSize(NamedTuple):
    """The size of a task that failed."""

    cpu: int
    memory_mib: int


class FailedTask(NamedTuple):
    """A task that ran and failed, as far as it tells where it wrote."""

    task_id: str
    task_definition: str
    """The ARN of its revision; that says into which log group it wrote."""
    log: str = ""
    """The file that it wrote, which the offline stack names; empty on AWS."""


class LastWords(NamedTuple):
    """What a container wrote before it ended."""

    log: str = ""
    """Where, as in ContainerStarted; empty where that is not known."""
    lines: tuple[str, ...] = ()
    """The last lines, oldest first; none where there are none, or they cannot be read."""

    @property
    def last(self) -> str:
        """Return the last line that is not blank, which mostly names the cause."""
        return next((line.strip() for line in reversed(self.lines) if line.strip()), "")


NOTHING_SAID: Final = LastWords()


class TaskFailure(NamedTuple):
    """How a task of ECS failed."""

    kind: str
    """NOT_LAUNCHED, LOST or TIMED_OUT."""
    reason: str
    """What AWS said of it."""
    is_refusal: bool = False
    """Whether ECS launched no task at all."""
    out_of_memory: FailedSize | None = None
    """The size of a task that ran out of memory; None where it did not, or its size is not known."""
    task: FailedTask | None = None
    """The task, where its container ran."""


def task_failure(error: str, cause: str, last_words: LastWords = NOTHING_SAID) -> JobError:
    """Return the error of the instances of a container that failed, with its *last_words*.

    For the other arguments see `read_failure`.
    """
    failure = read_failure(error, cause)
    if failure.kind == TIMED_OUT:
        return JobError(type=TIMED_OUT, message=failure.reason)
    if failure.kind == LOST:
        text = "The container ended before this instance had an outcome, on its last launch"
    elif failure.is_refusal:
        text = "No container could be launched"
    else:
        text = "The container could not start, on its last launch"
    message = f"{text}: {failure.reason}"
    bounded_message = bounded(message.strip().rstrip("."), ERROR_MESSAGE_CHARACTERS // 2)
    return JobError(
        type=failure.kind,
        message=f"{bounded_message}. {advise(message)}".strip() + quote(last_words),
        traceback=_tail(last_words),
    )


def quote(last_words: LastWords) -> str:
    """Return a sentence that quotes the last of *last_words*, after a space; empty where there are none."""
    if not last_words.last:
        return ""
    return f" The last line of its log is: {bounded(last_words.last, _QUOTED_CHARACTERS)}"


def _tail(last_words: LastWords) -> str:
    """Return the end of the log, in whole lines; the instances of a share all keep it."""
    lines, left = list[str](), _TAIL_CHARACTERS
    for line in reversed(last_words.lines):
        left -= len(line) + 1
        if left < 0:
            break
        lines.append(line)
    return "\n".join(reversed(lines))


def read_failure(error: str, cause: str) -> TaskFailure:
    """Return how a task failed, from the name and cause of a state's error.

    The cause of States.TaskFailed is the ECS task as JSON, its names in PascalCase; that of a launch that
    was refused is text, or the failures that RunTask returned.
    """
    document = _document(cause)
    if error == "States.Timeout":
        return TaskFailure(TIMED_OUT, "The container ran for longer than it may, and was stopped.")
    if "TaskArn" not in document:
        refusals = [
            _join(failure.get("Reason"), failure.get("Detail")) for failure in _objects(document, "Failures")
        ]
        return TaskFailure(NOT_LAUNCHED, f"{error}: {'; '.join(refusals) or cause}", is_refusal=True)
    kind = NOT_LAUNCHED if document.get("StopCode") == _NEVER_STARTED else LOST
    size = _size_that_was_too_small(document)
    return TaskFailure(kind, _end_reason(document), out_of_memory=size, task=_failed_task(document))


def _document(cause: str) -> Mapping[str, Any]:
    try:
        document = json.loads(cause)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _objects(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return the objects in a list of *document*; a share waits for what is read here, whatever it is."""
    found = document.get(name)
    return [part for part in found if isinstance(part, dict)] if isinstance(found, list) else []


def _own_container(task: Mapping[str, Any]) -> Mapping[str, Any]:
    # AWS adds containers of its own to a task, for example that of GuardDuty.
    containers = _objects(task, "Containers") or [{}]
    return next((c for c in containers if c.get("Name") == CONTAINER_NAME), containers[0])


def _failed_task(task: Mapping[str, Any]) -> FailedTask:
    arn, definition = str(task["TaskArn"]), str(task.get("TaskDefinitionArn") or "")
    return FailedTask(arn.rsplit("/", 1)[-1], definition, str(_own_container(task).get(LOG_FILE) or ""))


def _size_that_was_too_small(task: Mapping[str, Any]) -> FailedSize | None:
    container = _own_container(task)
    named = _OUT_OF_MEMORY_ERROR in str(container.get("Reason"))
    if not named and container.get("ExitCode") != OUT_OF_MEMORY:
        return None
    try:
        return FailedSize(int(task["Cpu"]), int(task["Memory"]))
    except (KeyError, TypeError, ValueError):
        return None


def _end_reason(task: Mapping[str, Any]) -> str:
    container = _own_container(task)
    code = f"exit code {container['ExitCode']}" if "ExitCode" in container else None
    stopped = _join(task.get("StopCode"), task.get("StoppedReason"))
    return "; ".join(str(part) for part in (code, container.get("Reason"), stopped) if part)


def _join(*parts: object) -> str:
    return ": ".join(str(part) for part in parts if part)
