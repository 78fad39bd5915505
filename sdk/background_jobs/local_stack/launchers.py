"""The ways in which a container becomes a child process, and the one that runs a command."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from background_jobs.core.job_descriptions import JobDescription
from background_jobs.local_stack.processes import STACK_ID, STACK_PROJECT
from background_jobs.local_stack.server_messages import JobsByService

_INHERITED: Final = (STACK_ID, STACK_PROJECT, "HOME", "PATH")


class ChildProcess(Protocol):
    """A child of this process."""

    @property
    def pid(self) -> int:
        """Return its process id, which is also that of its process group."""

    @property
    def returncode(self) -> int | None:
        """Return its exit code, -n after signal n; None until it was waited for."""

    def wait(self) -> int:
        """Wait for its end and return its exit code, -n after signal n."""


class MainNotLoaded(Exception):
    """The main of the jobs was not loaded; the text says why, which may be the end of a traceback."""


class Launcher(Protocol):
    """The way in which a container becomes a child process."""

    @property
    def host(self) -> str:
        """Return the name under which its containers find this machine."""

    def prepare(self, shared: Mapping[str, str]) -> None:
        """Get ready in the background; *shared* are variables that every container has."""

    def find_jobs(self) -> JobsByService:
        """Return by service the jobs of a main that was loaded to get ready; None where none was."""

    def reload_jobs(self, service: str) -> Sequence[JobDescription] | None:
        """Return the jobs of a service as they are now; None where nobody looks. Raises MainNotLoaded."""

    def start(
        self, name: str, variables: Mapping[str, str], options: Mapping[str, object], log: Path
    ) -> ChildProcess:
        """Start the container *name* with its output in *log*; *options* are those of a Docker client."""

    def signal(self, process: ChildProcess, name: str, number: int) -> None:
        """Send a signal to all that runs in the container; harmless once nothing does."""


class ProcessLauncher:
    """Runs the jobs' main of one service as it is; limits are not applied."""

    host: Final = "127.0.0.1"

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)

    def prepare(self, shared: Mapping[str, str]) -> None:
        """Do nothing."""

    def find_jobs(self) -> Sequence[JobDescription] | None:
        """Return None: nothing is loaded beforehand."""
        return None

    def reload_jobs(self) -> Sequence[JobDescription] | None:
        """Return None: nobody looks whether they were edited."""
        return None

    def start(
        self, name: str, variables: Mapping[str, str], options: Mapping[str, object], log: Path
    ) -> ChildProcess:
        """Start the jobs' main."""
        del name, options
        return start_command(self._command, inherit_packages() | dict(variables), log)

    def signal(self, process: ChildProcess, name: str, number: int) -> None:
        """Send a signal to the process group, which outlives its leader if the job left children behind."""
        del name
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return


def start_command(
    command: Sequence[str], variables: Mapping[str, str], log: Path, descriptors: Sequence[int] = ()
) -> "subprocess.Popen[bytes]":
    """Start *command* in a session of its own, with *log* as its output and further open *descriptors*."""
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            env=variables,
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def inherit(*names: str) -> dict[str, str]:
    """Return what a container inherits from this process: the marks of its stack, and *names*."""
    return {name: os.environ[name] for name in (*_INHERITED, *names) if name in os.environ}


def inherit_packages() -> dict[str, str]:
    """Return what it inherits where its packages and temporary files are ours; an image has its own."""
    return inherit("LANG", "LC_ALL", "PYTHONPATH", "TMPDIR", "VIRTUAL_ENV")
