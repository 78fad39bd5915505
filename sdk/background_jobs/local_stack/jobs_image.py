"""The jobs of a team as the image that will be deployed, run by Docker."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from background_jobs.core.errors import BackgroundJobsError
from background_jobs.core.job_descriptions import JobDescription
from background_jobs.local_stack.jobs_main import ask_jobs

CLIENT_VARIABLES: Final = (
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
)
"""The variables by which the `docker` command finds its engine, beside PATH and HOME."""
_ENGINE_SECONDS: Final = 30


class InvalidJobsImage(BackgroundJobsError):
    """The value of --image cannot run jobs here."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"--image {name}: {reason}")


@dataclass(frozen=True, slots=True)
class JobsImage:
    """An image whose entry point calls `run_e11_job([...])`."""

    name: str

    @classmethod
    def find(cls, name: str) -> Self:
        """Find the image *name* in this machine's engine. Raises InvalidJobsImage."""
        if shutil.which("docker") is None:
            raise InvalidJobsImage(
                name, "there is no `docker` on the PATH. Install Docker, or use --jobs FILE."
            )
        done = docker("image", "inspect", "--format", "{{.Id}}", name)
        if done.returncode:
            raise InvalidJobsImage(
                name, f"{done.stderr.strip()}\nBuild or pull it first; Docker must be running."
            )
        return cls(name)

    @property
    def identity(self) -> Sequence[str]:
        """Return what tells it from others."""
        return [self.name]

    def describe(
        self, variables: Mapping[str, str] | None = None, env: Mapping[str, str] | None = None
    ) -> tuple[JobDescription, ...]:
        """Ask the image, which has *env*, to describe its jobs; `docker` has *variables*, or those here.

        Raises InvalidJobsImage with its output if it fails.
        """
        asking = {**(env or {}), "BACKGROUND_JOBS_DESCRIBE": "1"}
        command = ["docker", "run", "--rm", "--network=none", *env_options(asking), self.name]
        client = hand_on(os.environ if variables is None else variables, asking)
        return ask_jobs(command, client, lambda reason: InvalidJobsImage(self.name, reason))


def env_options(variables: Mapping[str, str]) -> list[str]:
    """Return the options of `docker run` that give *variables* to a container.

    The values are in what `hand_on` returns, where not everybody reads them; but those that the command would
    take for its own are in the options.
    """
    return [
        f"--env={name}={value}" if _is_of_client(name) else f"--env={name}"
        for name, value in variables.items()
    ]


def hand_on(client: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a `docker run` that hands *variables* on, and has those of *client* itself."""
    return {**client, **{name: value for name, value in variables.items() if not _is_of_client(name)}}


def _is_of_client(name: str) -> bool:
    return name in {"HOME", "PATH", *CLIENT_VARIABLES}


def docker(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run the `docker` command, which knows the user's context, and return its output.

    After half a minute without an answer, the status is 124.
    """
    command = ["docker", *words]
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ENGINE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"no answer within {_ENGINE_SECONDS} s")
