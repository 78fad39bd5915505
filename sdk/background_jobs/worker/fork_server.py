"""A jobs' main that is loaded once, and forked for each container of the offline stack.

The stack starts the main with a variable that names a socket. `run_e11_job` then tells what it has loaded,
and answers each request, a line with a log and variables, with the id of a process. That process is a
container like any other: it has these variables, also for those who read them from outside
(/proc/PID/environ), its log as output, and a session of its own. Its parent is the stack, which learns how it
ends.
"""

import atexit
import gc
import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn, TextIO

from background_jobs.aws import clients
from background_jobs.jobs import Jobs
from background_jobs.worker import loading_notes
from background_jobs.worker.fork_safety import find_reason_not_to_share, renew_random_state
from background_jobs.worker.forking import fork_orphan, show_variables
from background_jobs.worker.inner_process import flush_output
from background_jobs.worker.loaded_files import stamp_loaded

FORK_SERVER: Final = "BACKGROUND_JOBS_FORK_SERVER"
"""The variable of a fork server: ``<descriptor of its socket> <process id of its parent>``.

Spaces follow, for the variables of a container are written over those with which its process was started.
"""
_ENV_FILE: Final = ".env"
_PROC: Final = Path("/proc/self")


@dataclass(frozen=True, slots=True)
class LoadedMain:
    """What the stack must know of a main before it has it forked."""

    reason: str
    """What the main did that forks cannot share; empty where it can be forked."""
    jobs: list[dict[str, Any]]
    """What each of its jobs publishes of itself, as JSON."""
    files: dict[str, list[int] | None]
    """The stamp of each file that was loaded, or read meanwhile."""
    variables: dict[str, str | None]
    """The variables that were read while it was loaded; they must be the container's, too."""


class _Server(NamedTuple):
    channel: socket.socket
    variables: dict[str, str]
    """Those with which the process was started."""


def _find_server() -> _Server | None:
    """Return the socket of a fork server, and begin to note what the main takes from outside."""
    text = os.environ.pop(FORK_SERVER, None)
    if text is None:
        return None
    descriptor, parent = map(int, text.split())
    if parent != os.getppid():  # a process that the main started
        return None
    loading_notes.begin()
    return _Server(socket.socket(fileno=descriptor), _started_with())


def serve_containers(jobs: Jobs) -> bool:
    """Fork containers for as long as the stack asks, if this process is there for that.

    Return True in each of them, and False in a process that is no fork. Raises InvalidJob.
    """
    if _server is None:
        return False
    loading_notes.end()
    channel, started_with = _server
    loaded = _describe_loaded(jobs, channel)
    changes = _Changes.between(started_with, os.environ)
    with channel, channel.makefile("rw", encoding="utf-8") as lines:
        _send(lines, asdict(loaded))
        if loaded.reason:
            _end()
        request = _fork_for_requests(lines)
    _become_container(request["log"], changes.apply(request["variables"]))
    return True


def _describe_loaded(jobs: Jobs, channel: socket.socket) -> LoadedMain:
    """Return what was loaded; where it can be forked, the clients of containers are then loaded, too."""
    # It may answer otherwise when a container comes, and a stack that is being deployed certainly will.
    called = "called another process" if loading_notes.connections else ""
    reason = called or find_reason_not_to_share(channel.fileno())
    if not reason:
        clients.make_to_be_forked()
    flush_output()
    described = [job.model_dump(mode="json") for job in jobs.describe()]
    files = stamp_loaded(loading_notes.files.union(_env_files()))
    return LoadedMain(reason, described, files, loading_notes.variables)


def _env_files() -> set[str]:
    """Return where files of variables are by convention, for mains read them before they import anything."""
    main = getattr(sys.modules["__main__"], "__file__", None)
    return {str(folder / _ENV_FILE) for folder in (Path.cwd(), Path(main or _ENV_FILE).resolve().parent)}


def _fork_for_requests(lines: TextIO) -> dict[str, Any]:
    """Fork a process for each request, and return the request in it; the server ends with the stack."""
    # What is loaded is shared with every container as long as none of them looks for garbage in it.
    gc.collect()
    gc.freeze()
    for line in lines:
        if (pid := fork_orphan()) == 0:
            request: dict[str, Any] = json.loads(line)
            return request
        _send(lines, {"pid": pid})
    os._exit(0)


def _become_container(log: str, variables: Mapping[str, str]) -> None:
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    for number in (1, 2):
        os.dup2(output, number)
    os.close(output)
    os.environ.clear()
    os.environ.update(variables)
    # By them the stack finds the processes of a container, also those that it forks itself.
    show_variables()
    time.tzset()
    renew_random_state()


class _Changes(NamedTuple):
    """What the main did to the variables while it was loaded, which it would do in a container, too."""

    set: dict[str, str]
    removed: frozenset[str]

    @classmethod
    def between(cls, before: Mapping[str, str], after: Mapping[str, str]) -> "_Changes":
        changed = {name: value for name, value in after.items() if before.get(name) != value}
        return cls(changed, frozenset(before).difference(after))

    def apply(self, variables: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in {**variables, **self.set}.items() if name not in self.removed}


def _started_with() -> dict[str, str]:
    block = os.fsdecode((_PROC / "environ").read_bytes())
    pairs = (variable.partition("=") for variable in block.split("\0") if "=" in variable)
    return {name: value for name, _, value in pairs if name != FORK_SERVER}


def _send(lines: TextIO, message: Mapping[str, Any]) -> None:
    lines.write(json.dumps(message) + "\n")
    lines.flush()


def _end() -> NoReturn:
    """End as a main does that was asked for its jobs, but without what follows `run_e11_job`."""
    atexit._run_exitfuncs()  # noqa: SLF001 -- as in `inner_process`
    flush_output()
    os._exit(0)


_server: Final = _find_server()
