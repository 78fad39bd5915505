"""The variables of their own that containers offline are given, as `variables` and `secrets` are on AWS."""

import hashlib
from collections.abc import Mapping
from typing import Final

from background_jobs.local_stack.stack_errors import InvalidLocalStack
from background_jobs.settings import PREFIX, ContainerSettings

_OURS: Final = ContainerSettings.variable_names()
_LEADING_ELSEWHERE: Final = "AWS_"
_MOST_BYTES: Final = 32_768
"""Half of what a task definition may have in all. Source: Amazon ECS Developer Guide, "Service quotas"."""


def leads_elsewhere(name: str) -> bool:
    """Tell whether a client in a container would read *name*, and might leave the stack with it."""
    return name.startswith(_LEADING_ELSEWHERE)


def explain_variables(variables: Mapping[str, str]) -> str | None:
    """Return why containers cannot have *variables*, or None."""
    size = 0
    for name, value in variables.items():
        if not name or "=" in name or "\0" in name + value:
            return f"no process can have the variable {name!r}, or its value"
        if name in _OURS or name.startswith(PREFIX):
            return f"{name} is set by the stack"
        if leads_elsewhere(name):
            return (
                f"{name} might lead a job to an account: what begins with {_LEADING_ELSEWHERE} is the stack's"
            )
        try:
            size += len(f"{name}={value}".encode())
        except UnicodeEncodeError:
            return f"{name} is not UTF-8"
    return f"the variables have {size:,} bytes, and {_MOST_BYTES:,} at most" if size > _MOST_BYTES else None


def refuse_variables(variables: Mapping[str, str]) -> None:
    """Raise InvalidLocalStack if containers cannot have *variables*."""
    if reason := explain_variables(variables):
        raise InvalidLocalStack(f"--env: {reason}. Leave it out, or give it another name.")


def digest(stack_id: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Return what tells values from others of their names, without them: some are secrets."""
    return {
        name: hashlib.blake2b(value.encode(), key=stack_id.encode(), digest_size=16).hexdigest()
        for name, value in variables.items()
    }
