"""The variables of their own that containers offline are given, as `variables` and `secrets` are on AWS."""

import hashlib
import os
import re
from collections.abc import Mapping
from typing import Final

from background_jobs.core.containers.variables import VARIABLE_NAME
from background_jobs.local_stack.stack_errors import InvalidLocalStack
from background_jobs.settings import PREFIX, ContainerSettings

_NAME: Final = re.compile(VARIABLE_NAME, re.ASCII)
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
        if not _NAME.fullmatch(name):
            return f"{name!r} is no name for a variable: letters, digits and _ are, with no digit first"
        if "\0" in value:
            return f"no process can have the value of {name}: it has a NUL character"
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
        name: hashlib.blake2b(os.fsencode(value), key=stack_id.encode(), digest_size=16).hexdigest()
        for name, value in variables.items()
    }
