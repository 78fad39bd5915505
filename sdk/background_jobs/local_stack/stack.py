"""The offline stack for its user: it starts within a few seconds, and leaves nothing behind."""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Final, Self

from background_jobs.core.job_descriptions import names_of
from background_jobs.local_stack.docker_containers import remove_containers
from background_jobs.local_stack.job_variables import refuse_variables
from background_jobs.local_stack.jobs_image import JobsImage
from background_jobs.local_stack.launchers import inherit_packages
from background_jobs.local_stack.mains import find_mains
from background_jobs.local_stack.notifications import explain_refusal
from background_jobs.local_stack.processes import STACK_ID, STACK_PROJECT, end_all
from background_jobs.local_stack.server_messages import (
    FAILED,
    JOBS,
    LOADED,
    READY,
    JobsByService,
    Ready,
    ServerOptions,
    hand_over,
    publish_jobs,
    read_jobs,
)
from background_jobs.local_stack.stack_errors import InvalidLocalStack, LocalStackError
from background_jobs.local_stack.variables import (
    caller_variables,
    client_variables,
    connect,
    disconnect,
    replace_variables,
    unwanted_variables,
)
from background_jobs.settings import Settings

if TYPE_CHECKING:
    from background_jobs.orchestration_service import OrchestrationService

_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 5
_POLL_SECONDS: Final = 0.02
_LOG_LINES: Final = 15
_MOST_CONTAINERS: Final = 1_000
_FIRST_FREE: Final = 3
"""The first descriptor that is none of the standard ones."""


class LocalStack:
    """A context in which the offline stack is up, with a team's jobs in its containers.

    *jobs* is a Python file or module that calls `run_e11_job([...])` when run; *python* runs it, by default
    this interpreter. *services* has those of further services, by their names. Or *image* is the image that
    will be deployed: Docker runs it, with *memory_mib*, by default what the task definition says. At most
    *containers* run at once; by default as many as there are processors. Beside them, *warm* containers
    stay, and take shares as warm workers do on AWS. *env* has variables for all of them, as `variables` and
    `secrets` of a service have on AWS. *notify* has the addresses of webhooks by the names of
    channels: ``{"ops": "http://127.0.0.1:8000/"}``.

    Raises InvalidLocalStack, InvalidJobsMain or InvalidJobsImage.
    """

    server: ClassVar[str] = "background_jobs.local_stack.server"
    """The module that runs as the process of the stack."""

    def __init__(  # noqa: PLR0913 -- its options are keywords
        self,
        jobs: str | None = None,
        *,
        services: Mapping[str, str] | None = None,
        image: str | None = None,
        memory_mib: int | None = None,
        containers: int | None = None,
        warm: int = 0,
        python: str | None = None,
        env: Mapping[str, str] | None = None,
        notify: Mapping[str, str] | None = None,
        port: int = 0,
        api_port: int = 0,
    ) -> None:
        if containers is not None:
            _refuse_count("containers", containers, least=1)
        _refuse_count("warm", warm, least=0)
        self.stack_id = str(uuid.uuid4())
        self.containers = containers or max(2, os.cpu_count() or 1)
        self.mains = find_mains(jobs, services or {}, image=image, python=python, memory_mib=memory_mib)
        """What runs each service."""
        if warm and len(self.mains) > 1:
            raise InvalidLocalStack(f"warm={warm} is for a stack with a single service.")
        self.env = dict(env or {})
        refuse_variables(self.env)
        if (refusal := explain_refusal(notify or {})) is not None:
            raise InvalidLocalStack(refusal)
        self.notify = dict(notify or {})
        self.memory_mib = memory_mib
        self._warm = warm
        self.folder = log_folder(self.stack_id)
        """The folder of the logs, of the emulator (``server.log``) and of each container."""
        self.stopping = False
        self.variables: dict[str, str] = {}
        """The variables that a process needs to use it: endpoint, credentials, and the SDK's settings.

        Others must go, lest they lead to an account: `unwanted_variables`, or `process_variables` for both.
        """
        self._port, self._api_port = port, api_port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> Settings:
        """Return the SDK's settings for this stack."""
        return Settings.from_env(self.variables)

    @property
    def unwanted_variables(self) -> tuple[str, ...]:
        """Return which variables of this process lead clients elsewhere, though `variables` are set.

        They are all others that begin with ``AWS_``, and settings of another environment.
        """
        return unwanted_variables(os.environ, self.variables)

    def service(self) -> "OrchestrationService":
        """Return the service of this stack, whatever the variables of this process say.

        They stay as they are. It reaches this stack and nothing else: address, credentials, region and
        settings are the stack's own. Raises LocalStackError if the stack is not up.
        """
        if not self.variables:
            raise LocalStackError("The stack was not started: use it as `with LocalStack(...) as stack:`.")
        return connect(self.variables)

    def process_variables(self) -> dict[str, str]:
        """Return all variables for a process that is to use the stack: this process's, with its own."""
        return replace_variables(os.environ, self.variables)

    def start(self, *, project: Path | None = None) -> Self:
        """Bring the stack up, to end with this process, or to stay as that of *project*.

        Raises LocalStackError or InvalidJobsMain.
        """
        with _listen(self._port) as listener:
            self.folder.mkdir(mode=0o700)
            try:
                self._process = self._start_server(listener, project)
            except BaseException:
                self.stop()
                raise
            port = listener.getsockname()[1]
        try:
            with ThreadPoolExecutor(1) as pool:
                described = pool.submit(self._describe, port)
                ready = self._wait_until_ready(self._process)
                jobs = described.result()
        except BaseException:
            self.stop()
            raise
        every = (job for described in jobs.values() for job in described or ())
        settings = ready.settings.model_copy(update={"job_names": names_of(every)})
        self.variables = caller_variables(port, self.stack_id) | settings.to_env()
        return self

    @property
    def in_docker(self) -> bool:
        """Tell whether Docker runs the containers."""
        return any(isinstance(main, JobsImage) for main in self.mains.values())

    def _start_server(self, listener: socket.socket, project: Path | None) -> "subprocess.Popen[bytes]":
        options = ServerOptions(
            folder=self.folder,
            services={
                name: [] if isinstance(main, JobsImage) else list(main.command)
                for name, main in self.mains.items()
            },
            image=next((main.name for main in self.mains.values() if isinstance(main, JobsImage)), ""),
            memory_mib=self.memory_mib,
            containers=self.containers,
            warm=self._warm,
            env=self.env,
            notify=self.notify,
            listener=listener.fileno(),
            api_port=self._api_port,
            ends_with_parent=project is None,
        )
        marks = {STACK_ID: self.stack_id} | ({STACK_PROJECT: str(project)} if project else {})
        with (self.folder / "server.log").open("wb") as log:
            return subprocess.Popen(
                # The emulator writes code and reads it in the encoding of the locale. Warnings that the user
                # makes errors are those of the user's own code.
                [
                    sys.executable,
                    "-P",
                    "-X",
                    "utf8",
                    "-W",
                    "ignore",
                    "-m",
                    self.server,
                    str(hand_over(options)),
                ],
                env=replace_variables(os.environ, marks),
                pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL if project else subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _describe(self, port: int) -> JobsByService:
        """Return the jobs of each service; the server gets them too, or none if they cannot be had."""
        jobs: JobsByService = {}
        try:
            loaded = self._wait_for_loaded_jobs()
            # A module of jobs may call AWS while it is imported.
            marked = client_variables(port, "container") | {STACK_ID: self.stack_id}
            # Docker's client has the variables of the user, and jobs have none that containers have not.
            own = replace_variables(os.environ, marked) if self.in_docker else inherit_packages() | marked
            jobs = {
                name: loaded.get(name) or main.describe(own, self.env) for name, main in self.mains.items()
            }
        finally:
            publish_jobs(self.folder / JOBS, jobs)
        return jobs

    def _wait_for_loaded_jobs(self) -> JobsByService:
        """Return the jobs that the stack has loaded for its containers; nothing where it has not."""
        if self.in_docker:
            return {}
        deadline = time.monotonic() + _START_SECONDS
        while not (self.folder / LOADED).exists():
            if self.has_ended or self.stopping or time.monotonic() > deadline:
                return {}
            time.sleep(_POLL_SECONDS)
        return read_jobs(self.folder / LOADED)

    @property
    def has_ended(self) -> bool:
        """Tell whether the stack's process has ended, by `stop` or by itself."""
        return self._running_process().poll() is not None

    @property
    def pid(self) -> int:
        """Return the process of the stack. Raises LocalStackError if it was not started."""
        return self._running_process().pid

    def wait(self) -> int:
        """Wait until the stack's process ends, and return its status."""
        return self._running_process().wait()

    def _running_process(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            raise LocalStackError("The stack was not started.")
        return self._process

    def stop(self) -> None:
        """Take the stack down; no process of it is left."""
        self.stopping = True
        if self.variables:
            disconnect(self.variables)
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._process.stdin:
                self._process.stdin.close()
        end_all(self.stack_id)
        if self.in_docker:
            remove_containers(self.stack_id)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_ready(self, process: "subprocess.Popen[bytes]") -> Ready:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if (self.folder / READY).exists():
                return Ready.model_validate_json((self.folder / READY).read_bytes())
            if (failed := self.folder / FAILED).exists():
                reason = failed.read_text(encoding="utf-8")
                raise LocalStackError(f"The stack could not be deployed: {reason}\n{self._last_lines()}")
            if process.poll() is not None:
                raise LocalStackError(
                    f"The emulator ended with status {process.returncode}.\n{self._last_lines()}"
                )
            time.sleep(_POLL_SECONDS)
        raise LocalStackError(f"The stack was not up within {_START_SECONDS} s.\n{self._last_lines()}")

    def _last_lines(self) -> str:
        lines = (self.folder / "server.log").read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LOG_LINES:])


def log_folder(stack_id: str) -> Path:
    """Return the folder of the logs of a stack."""
    return Path(tempfile.gettempdir()) / f"background-jobs-{stack_id}"


def _listen(port: int) -> socket.socket:
    try:
        with socket.create_server(("127.0.0.1", port), backlog=256) as listener:
            # Where this process has no standard input or output, the socket has taken the number of one.
            above = fcntl.fcntl(listener, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE)
            return socket.socket(fileno=above)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise LocalStackError(f"Port {port}: {reason}. Choose another, or 0 for any.") from None


def _refuse_count(option: str, value: object, *, least: int) -> None:
    """Raise InvalidLocalStack if *value* is no number of containers."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _MOST_CONTAINERS:
        raise InvalidLocalStack(
            f"{option}={value!r} is no number of containers: write one from {least} to {_MOST_CONTAINERS:,}."
        )
