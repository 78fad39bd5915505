"""Containers that are forked from one process, which has loaded the jobs' main once.

Starting Python and loading the jobs takes most of what a short container takes. What cannot be forked (see
`worker.fork_safety`) is started as it is, and so is all on systems other than Linux.

Edited jobs are for the orchestrations that come then. What has begun goes on with what it has begun with, as
on AWS, where an orchestration keeps the revision of its task definition.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Final

from background_jobs.core.containers.variables import ORCHESTRATION_ID, SHARE_VARIABLES
from background_jobs.core.job_descriptions import JobDescription
from background_jobs.local_stack.fork_server import ForkedProcess, ForkServer
from background_jobs.local_stack.launchers import (
    ChildProcess,
    MainNotLoaded,
    ProcessLauncher,
    inherit_packages,
)
from background_jobs.settings import PREFIX

_KEPT: Final = 3
"""Servers beside the newest, with what was loaded before the latest edits."""
_REMEMBERED: Final = 1_000
"""Orchestrations of which it is known with which server they began."""
_log = logging.getLogger(__name__)


class ForkingLauncher(ProcessLauncher):
    """Forks containers from a server, and starts another one once a file that it has loaded was edited.

    *folder* takes the output of the servers, in files whose names have *name*. The process in which this is
    must adopt orphans.
    """

    def __init__(self, command: Sequence[str], folder: Path, name: str = "default") -> None:
        super().__init__(command)
        self._outputs = (folder / f"fork-server-{name}-{number}.log" for number in count(1))
        self._servers: list[ForkServer] = []
        """The newest is the last."""
        self._began_with: dict[str, ForkServer] = {}
        """By orchestration, the server of which its first container was forked."""
        self._reported = ""
        self._was_loaded = False
        """Whether the main has told its jobs; one with an earlier release of the SDK never does."""
        self._lock = threading.Lock()

    def prepare(self, shared: Mapping[str, str]) -> None:
        """Start a server; it loads the jobs in the background."""
        self._replace(None, _common_variables(inherit_packages() | dict(shared)))

    def find_jobs(self) -> Sequence[JobDescription] | None:
        """Return the jobs of the main, once it was loaded; None where that failed."""
        server = self._find_newest()
        jobs = server.find_jobs() if server else None
        self._was_loaded |= jobs is not None
        return jobs

    def reload_jobs(self) -> Sequence[JobDescription] | None:
        """Return the jobs as their files are now. Raises MainNotLoaded."""
        server = self._find_newest()
        if server is None or not self._was_loaded:
            return None
        while (jobs := (server := self._find_current(server.variables)).find_jobs()) is None:
            if not server.was_edited:
                raise MainNotLoaded(server.explain())
        return jobs

    def start(
        self, name: str, variables: Mapping[str, str], options: Mapping[str, object], log: Path
    ) -> ChildProcess:
        """Fork a container, or start it as it is where it cannot be forked."""
        forked = self._fork(inherit_packages() | dict(variables), log)
        return forked or super().start(name, variables, options, log)

    def close(self) -> None:
        """End the servers; containers run on."""
        with self._lock:
            while self._servers:
                self._end_server(self._servers[0])

    def _fork(self, variables: dict[str, str], log: Path) -> ForkedProcess | None:
        server = self._find_server(variables.get(ORCHESTRATION_ID, ""), _common_variables(variables))
        if reason := server.find_reason_not_to_fork(variables):
            self._report(reason)
            return None
        try:
            return server.fork(variables, log)
        except (OSError, ValueError) as gone:
            _log.warning("Another process loads the jobs, for the one that had is gone: %r", gone)
            with self._lock:
                self._end_server(server)
            return None

    def _find_server(self, orchestration_id: str, common: Mapping[str, str]) -> ForkServer:
        """Return the server with which an orchestration has begun, or begins."""
        with self._lock:
            server = self._began_with.get(orchestration_id)
        if server is not None and server.variables == common:
            return server
        server = self._find_current(common)
        with self._lock:
            if orchestration_id and server in self._servers:
                server = self._began_with.setdefault(orchestration_id, server)
                if len(self._began_with) > _REMEMBERED:
                    del self._began_with[next(iter(self._began_with))]
        return server

    def _find_newest(self) -> ForkServer | None:
        with self._lock:
            return self._servers[-1] if self._servers else None

    def _find_current(self, variables: Mapping[str, str]) -> ForkServer:
        """Return a server that has loaded the files as they are now, or is about to."""
        # While this one waits for the main to be loaded, others may need a server that has it loaded.
        server = self._find_newest()
        if server is None or server.variables != variables or not server.is_current():
            return self._replace(server, variables)
        return server

    def _replace(self, known: ForkServer | None, variables: Mapping[str, str]) -> ForkServer:
        """Start a server, unless somebody else has started one after the newest that is *known*."""
        with self._lock:
            newest = self._servers[-1] if self._servers else None
            if newest is not None and newest is not known and newest.variables == variables:
                return newest
            began = set(self._began_with.values())
            for server in self._servers.copy():
                if server not in began:
                    self._end_server(server)
            if len(self._servers) > _KEPT:
                self._end_server(self._servers[0])
            self._reported = ""
            self._servers.append(ForkServer(self._command, variables, next(self._outputs)))
            return self._servers[-1]

    def _end_server(self, server: ForkServer) -> None:
        server.end()
        if server in self._servers:
            self._servers.remove(server)
        self._began_with = {key: one for key, one in self._began_with.items() if one is not server}

    def _report(self, reason: str) -> None:
        if reason != self._reported:
            self._reported = reason
            _log.warning("Each container loads the jobs anew, for their main %s", reason)


def _common_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Return those of a container's variables that are the same for all, and are not settings."""
    return inherit_packages() | {
        name: value
        for name, value in variables.items()
        if name not in SHARE_VARIABLES and not name.startswith(PREFIX)
    }
