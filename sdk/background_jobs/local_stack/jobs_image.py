"""The jobs of a team as the image that will be deployed, run by Docker."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from background_jobs.core.errors import BackgroundJobsError
from background_jobs.core.job_descriptions import JobDescription
from background_jobs.local_stack.jobs_main import ask_jobs

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

    def describe(self, variables: Mapping[str, str] | None = None) -> tuple[JobDescription, ...]:
        """Ask the image to describe its jobs; `docker` has *variables*, the image has none of them.

        Raises InvalidJobsImage with its output if it fails.
        """
        command = ["docker", "run", "--rm", "--network=none", "--env=BACKGROUND_JOBS_DESCRIBE=1", self.name]
        return ask_jobs(command, variables, lambda reason: InvalidJobsImage(self.name, reason))


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
