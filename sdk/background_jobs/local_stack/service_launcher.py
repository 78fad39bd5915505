"""The containers of several services: each runs the main of its own."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from background_jobs.core.job_descriptions import JobDescription
from background_jobs.local_stack.launchers import ChildProcess, ProcessLauncher
from background_jobs.local_stack.server_messages import JobsByService
from background_jobs.settings import DEFAULT_SERVICE, Settings

SERVICE: Final = Settings.variable("service")
"""The variable of a container that names its service."""


class ServiceLauncher:
    """Starts each container by the launcher of its service, which its variables name."""

    host: Final = ProcessLauncher.host

    def __init__(self, launchers: Mapping[str, ProcessLauncher]) -> None:
        self._launchers = dict(launchers)

    def prepare(self, shared: Mapping[str, str]) -> None:
        """Have every service get ready."""
        for launcher in self._launchers.values():
            launcher.prepare(shared)

    def find_jobs(self) -> JobsByService:
        """Return the jobs of each service once its main was loaded."""
        with ThreadPoolExecutor(len(self._launchers)) as pool:
            found = pool.map(lambda launcher: launcher.find_jobs(), self._launchers.values())
            return dict(zip(self._launchers, found, strict=True))

    def reload_jobs(self, service: str) -> Sequence[JobDescription] | None:
        """Return the jobs of a service as they are now; None where nobody looks. Raises MainNotLoaded."""
        launcher = self._launchers.get(service)
        return None if launcher is None else launcher.reload_jobs()

    def start(
        self, name: str, variables: Mapping[str, str], options: Mapping[str, object], log: Path
    ) -> ChildProcess:
        """Start a container of the service in its *variables*."""
        return self._launchers[variables.get(SERVICE, DEFAULT_SERVICE)].start(name, variables, options, log)

    def signal(self, process: ChildProcess, name: str, number: int) -> None:
        """Send a signal, as it is done for every service."""
        next(iter(self._launchers.values())).signal(process, name, number)
