"""Why a container failed, read from what Step Functions and ECS report about it."""

import json
from collections.abc import Mapping
from typing import Any, Final

from background_jobs.core.containers.variables import CONTAINER_NAME
from background_jobs.core.events import JobError
from background_jobs.core.limits import ERROR_MESSAGE_CHARACTERS
from background_jobs.core.payloads import bounded

NOT_LAUNCHED: Final = "NotLaunched"
LOST: Final = "ContainerLost"
TIMED_OUT: Final = "ContainerTimeout"

_NEVER_STARTED: Final = "TaskFailedToStart"
_ADVICE: Final = {
    "OutOfMemoryError": "Give the service more memory_mib, or each instance less to do.",
    "CannotPullContainer": "Check that the image exists, and that the service's network and its execution "
    "role reach the registry.",
    "ResourceInitializationError": "Check that the service's network and its execution role reach its "
    "secrets and its log.",
    "exec format error": "The image is built for another architecture than the service's arm64 says.",
    "SpotInterruption": "AWS took its spare capacity back; without spot it does not.",
    "AccessDenied": "The state machine's role may not do this; deploy the stack again.",
    "Rate exceeded": "Use less parallelism, or have the account's quota raised.",
    "reached the limit": "Use less parallelism, or have the account's quota of Fargate vCPUs raised.",
    "Capacity is unavailable": "Use more subnets, or another size.",
}
"""The advice to users, by a part of AWS's message."""


def task_failure(error: str, cause: str) -> JobError:
    """Return why a container failed, from the name and cause of a state's error.

    The cause of States.TaskFailed is the ECS task as JSON, its names in PascalCase; that of a launch that
    was refused is text, or the failures that RunTask returned.
    """
    document = _document(cause)
    if error == "States.Timeout":
        message = "The container ran for longer than it may, and was stopped."
        return JobError(type=TIMED_OUT, message=message)
    if "TaskArn" not in document:
        refusals = [
            _join(failure.get("Reason"), failure.get("Detail")) for failure in document.get("Failures", [])
        ]
        reason = "; ".join(refusals) or cause
        return _error(NOT_LAUNCHED, f"No container could be launched: {error}: {reason}")
    reason = _end_reason(document)
    if document.get("StopCode") == _NEVER_STARTED:
        return _error(NOT_LAUNCHED, f"The container could not start, on its last launch: {reason}")
    return _error(
        LOST, f"The container ended before this instance had an outcome, on its last launch: {reason}"
    )


def _document(cause: str) -> Mapping[str, Any]:
    try:
        document = json.loads(cause)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _end_reason(task: Mapping[str, Any]) -> str:
    # AWS adds containers of its own to a task, for example that of GuardDuty.
    containers = task.get("Containers") or [{}]
    container = next((c for c in containers if c.get("Name") == CONTAINER_NAME), containers[0])
    code = f"exit code {container['ExitCode']}" if "ExitCode" in container else None
    stopped = _join(task.get("StopCode"), task.get("StoppedReason"))
    return "; ".join(filter(None, (code, container.get("Reason"), stopped)))


def _join(*parts: str | None) -> str:
    return ": ".join(filter(None, parts))


def _error(kind: str, message: str) -> JobError:
    bounded_message = bounded(message.strip().rstrip("."), ERROR_MESSAGE_CHARACTERS)
    advice = next((advice for part, advice in _ADVICE.items() if part in message), "")
    return JobError(type=kind, message=f"{bounded_message}. {advice}".strip())
