"""Containers as child processes, started by an object that the emulator uses as its Docker client.

A container is a command, the jobs' main itself or a `docker run` (docker_launcher). It has exactly the
container's variables and a session of its own; its output is in a file, and its exit code is kept. Its
methods have the names of Docker's client, because the emulator calls them.
"""

import signal
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from background_jobs.core.job_descriptions import JobDescription
from background_jobs.local_stack.launchers import ChildProcess, Launcher
from background_jobs.local_stack.processes import LOG, kill_container
from background_jobs.local_stack.server_messages import JobsByService
from background_jobs.local_stack.service_launcher import SERVICE
from background_jobs.settings import DEFAULT_SERVICE

_POLL_SECONDS: Final = 0.05


class ProcessContainer:
    """One child process, seen as a container."""

    def __init__(self, launcher: Launcher, process: ChildProcess, log: Path) -> None:
        self.id = uuid.uuid4().hex
        self.name = log.stem
        self.attrs: dict[str, object] = {"NetworkSettings": {"Networks": {}}}
        self.log = log
        self._launcher = launcher
        self._process = process
        self.ended = threading.Event()
        self.exit_code: int | None = None
        self._stopping = False

    @property
    def status(self) -> str:
        """Return ``running`` or ``exited``."""
        return "exited" if self.ended.is_set() else "running"

    def reload(self) -> None:
        """Do nothing; the status is always fresh."""

    def wait(self) -> dict[str, int | None]:
        """Wait for the end and return the exit code; 128 + n after signal n."""
        self.ended.wait()
        return {"StatusCode": self.exit_code}

    def stop(self, timeout: float = 10) -> None:
        """End the container's processes with SIGTERM, and after *timeout* seconds with SIGKILL.

        Like StopTask on AWS, this does not wait for the end.
        """
        if not self.ended.is_set():
            self._stopping = True
            self._signal(signal.SIGTERM)
            threading.Thread(target=self._kill_after, args=(timeout,), daemon=True).start()

    def remove(self, *, v: bool = False, force: bool = False) -> None:
        """Kill the processes that are left, unless the container is being stopped; the log stays."""
        del v
        if force or not self._stopping:
            self._signal(signal.SIGKILL)

    def _kill_after(self, timeout: float) -> None:
        if not self.ended.wait(timeout):
            self._signal(signal.SIGKILL)

    def logs(self, *, stream: bool = False, tail: int | None = None, **_: object) -> Iterator[bytes] | bytes:
        """Return the output so far, or follow it to its end."""
        if stream:
            return self._follow()
        lines = self.log.read_bytes().splitlines(keepends=True)
        return b"".join(lines[-tail:] if tail else lines)

    def _follow(self) -> Iterator[bytes]:
        with self.log.open("rb") as output:
            while True:
                ended = self.ended.wait(_POLL_SECONDS)
                if chunk := output.read():
                    yield chunk
                elif ended:
                    return

    def _signal(self, number: int) -> None:
        self._launcher.signal(self._process, self.name, number)


class ProcessContainers:
    """The collection of containers of a Docker client."""

    def __init__(self, launcher: Launcher, variables: Mapping[str, str], logs: Path, limit: int) -> None:
        self._launcher = launcher
        self._shared = dict(variables)
        self._logs = logs
        self._free = threading.BoundedSemaphore(limit)
        self._containers: dict[str, ProcessContainer] = {}

    def run(self, image: str, **options: object) -> ProcessContainer:
        """Start a process as soon as fewer than the limit run; *image* is ignored.

        The images in the task definitions of the offline stack do not exist.
        """
        del image
        variables, name = options["environment"], options["name"]
        if not isinstance(variables, Mapping) or not isinstance(name, str):
            raise TypeError(f"A container needs variables and a name, not {variables!r} and {name!r}.")
        log = self._logs / str(variables.get(SERVICE, DEFAULT_SERVICE)) / f"{name}.log"
        log.parent.mkdir(exist_ok=True)
        variables = self._variables(variables, log)
        self._free.acquire()
        try:
            process = self._launcher.start(name, variables, options, log)
        except BaseException:
            self._free.release()
            raise
        container = ProcessContainer(self._launcher, process, log)
        self._containers[container.id] = container
        threading.Thread(target=self._attend, args=(container, process), daemon=True).start()
        return container

    def get(self, container_id: str) -> ProcessContainer:
        """Return a container that was started here. Raises KeyError."""
        return self._containers[container_id]

    def find_log(self, runtime_id: str) -> Path | None:
        """Return the log of the container whose id begins with *runtime_id*; None where there is none."""
        return next((c.log for id_, c in self._containers.copy().items() if id_.startswith(runtime_id)), None)

    def list(self, **_: object) -> list[ProcessContainer]:
        """Return the containers that still run."""
        return [container for container in self._containers.values() if not container.ended.is_set()]

    def _variables(self, variables: Mapping[str, str], log: Path) -> dict[str, str]:
        own = {
            name: value
            for name, value in variables.items()
            # boto3 refuses the address of the emulator's credentials; the log is known without its metadata.
            if not name.startswith(("AWS_CONTAINER_", "ECS_CONTAINER_"))
        }
        return own | self._shared | {LOG: str(log)}

    def prepare(self) -> None:
        """Get ready for containers, whose own variables are not known yet."""
        self._launcher.prepare(self._shared)

    def find_jobs(self) -> JobsByService:
        """Return by service the jobs of a main, once it was loaded to get ready; None where it was not."""
        return self._launcher.find_jobs()

    def reload_jobs(self, service: str) -> Sequence[JobDescription] | None:
        """Return the jobs of a service as they are now; None where nobody looks. Raises MainNotLoaded."""
        return self._launcher.reload_jobs(service)

    def _attend(self, container: ProcessContainer, process: ChildProcess) -> None:
        code = process.wait()
        # A real container ends with its first process, and so do the processes that this one started.
        container.remove(force=True)
        if code < 0:
            # It was killed, and could not end those that have a session of their own.
            kill_container(container.log)
        container.exit_code = code if code >= 0 else 128 - code
        container.ended.set()
        self._free.release()


class _Image:
    """Any image: the launcher knows what it runs."""

    id: Final = f"sha256:{'0' * 64}"

    def tag(self, repository: str, tag: str) -> bool:
        """Do nothing, with success."""
        del repository, tag
        return True


class AnyImage:
    """The collection of images of a Docker client, in which every image is; services look theirs up."""

    def get(self, name: str) -> _Image:
        """Return an image."""
        del name
        return _Image()

    def get_registry_data(self, name: str, **_: object) -> _Image:
        """Return what a registry says of an image."""
        return self.get(name)

    def pull(self, name: str, **_: object) -> _Image:
        """Return an image."""
        return self.get(name)


class ProcessRunner:
    """The Docker client of the emulator's ECS."""

    def __init__(self, containers: ProcessContainers) -> None:
        self.containers = containers
        self.images = AnyImage()

    def stop_all(self) -> None:
        """Kill every container that still runs."""
        for container in self.containers.list():
            container.remove(force=True)
