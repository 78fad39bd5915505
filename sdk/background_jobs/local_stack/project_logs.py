"""Where the logs of the stack of a project are."""

import os
from pathlib import Path

import psutil

from background_jobs.local_stack.function_logs import FunctionLogs
from background_jobs.local_stack.processes import STACK_ID
from background_jobs.local_stack.running_stack import RunningStack
from background_jobs.local_stack.stack import log_folder
from background_jobs.local_stack.stack_errors import UnknownService
from background_jobs.local_stack.stack_logs import StackLogs
from background_jobs.local_stack.stack_notes import UnreadableNote, note_path
from background_jobs.local_stack.variables import connect_logs


def find_logs(project: Path, service: str | None = None) -> StackLogs | None:
    """Return the logs of the stack of *project*, or of the one that died last; None where there is none.

    With *service*, they are those of its jobs alone. Raises UnreadableNote, or UnknownService.
    """
    stack = RunningStack.find(project)
    note = stack or RunningStack.read_note(note_path(project))
    if note is None or not (stack or note.folder.is_dir()):
        return None
    if service is not None and service not in note.jobs:
        raise UnknownService(project, service, note.jobs)
    if stack is None:
        return StackLogs(note.folder, None, service)
    functions = FunctionLogs(connect_logs(stack.variables))
    return StackLogs(stack.folder, functions, service, lambda: not psutil.pid_exists(stack.pid))


def find_log_folder(project: Path) -> Path | None:
    """Return the folder of the logs of the stack that this process uses, or of that of *project*, if any."""
    if stack_id := os.environ.get(STACK_ID):
        return log_folder(stack_id)
    try:
        stack = RunningStack.find(project)
    except UnreadableNote:
        return None
    return None if stack is None else stack.folder
