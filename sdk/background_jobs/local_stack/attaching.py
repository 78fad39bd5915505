"""Which offline stack a command of this process uses: that of its project, and never that of another."""

import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from background_jobs.core.errors import BackgroundJobsError
from background_jobs.local_stack.running_stack import RunningStack, describe_absence
from background_jobs.local_stack.stack_notes import UnreadableNote, all_notes
from background_jobs.local_stack.variables import find_stack, unwanted_variables
from background_jobs.settings import Settings

_CONNECT_SECONDS: Final = 2
_UP: Final = "background-jobs local up"


class StackOfOtherProject(BackgroundJobsError):
    """The variables of this process belong to the offline stack of another project."""

    def __init__(self, theirs: Path, project: Path, command: str) -> None:
        self.theirs, self.project = theirs, project
        own = f'take its own: eval "$({command})"'
        super().__init__(
            f"The variables of this shell belong to the offline stack of {theirs}, and this is the project "
            f"{project}: {own}. For the other stack, go to {theirs}."
        )


class EndedStack(BackgroundJobsError):
    """The variables of this process are those of an offline stack that has ended."""

    def __init__(self, project: Path, names: Iterable[str], remedy: str) -> None:
        self.project = project
        super().__init__(
            f"The variables of this shell are those of an offline stack that has ended. {remedy}; or remove "
            f"them: unset {' '.join(names)}"
        )


class NoStackOfProject(BackgroundJobsError):
    """Neither settings nor an offline stack of the project say where orchestrations are."""

    def __init__(self, project: Path) -> None:
        self.project = project
        names = ", ".join(sorted(Settings.required_variables()))
        super().__init__(
            f"{describe_absence(project)} Bring one up with `background-jobs local up --jobs FILE`. "
            "A deployed stack has its settings as outputs (`aws cloudformation describe-stacks --stack-name "
            f"background-jobs-ENVIRONMENT`); set them as variables: {names}."
        )


def _find_project(stack_id: str) -> Path | None:
    """Return the project whose stack that is; None for one of `local run`, or one that was taken down."""
    for path in all_notes():
        with suppress(UnreadableNote):
            if (note := RunningStack.read_note(path)) and note.stack_id == stack_id:
                return note.project
    return None


def _is_listening(endpoint_url: str) -> bool:
    """Tell whether something takes connections at an endpoint; this machine says so at once of its own."""
    endpoint = urlsplit(endpoint_url)
    try:
        socket.create_connection((endpoint.hostname, endpoint.port or 80), _CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def _explain_variables(project: Path) -> str:
    """Return how a shell gets variables of a stack that is up."""
    if RunningStack.find(project) is not None:
        return f'Take those of the one that is up for {project}: eval "$({_UP})"'
    return f'{describe_absence(project)} Bring one up: eval "$({_UP} --jobs FILE)"'


def attach(project: Path) -> bool:
    """Have this process use the stack of *project* where its variables name none; tell whether that was so.

    Raises NoStackOfProject, StackOfOtherProject where they name that of another, or EndedStack.
    """
    if (stack_id := find_stack(os.environ)) is not None:
        if not _is_listening(os.environ.get("AWS_ENDPOINT_URL", "")):
            raise EndedStack(project, unwanted_variables(os.environ, {}), _explain_variables(project))
        theirs = _find_project(stack_id)
        if theirs is not None and theirs != project:
            command = _UP if RunningStack.find(project) else f"{_UP} --jobs FILE"
            raise StackOfOtherProject(theirs, project, command)
        return False
    if Settings.has_any():
        return False
    stack = RunningStack.find(project)
    if stack is None:
        raise NoStackOfProject(project)
    variables = stack.process_variables()
    os.environ.clear()
    os.environ.update(variables)
    return True
