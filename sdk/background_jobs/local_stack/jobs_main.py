"""The jobs of a team, as the main of a container: a file or module that calls `run_e11_job([...])`."""

import importlib.util
import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final, Self

from background_jobs.core.errors import BackgroundJobsError
from background_jobs.core.job_descriptions import JobDescription

_DESCRIBE_SECONDS: Final = 60
_DESCRIPTION: Final = '{"job_names": '
"""How the line begins that `run_e11_job` prints where it is asked for the jobs."""


class InvalidJobsMain(BackgroundJobsError):
    """The value of --jobs or --service cannot be the main of a container."""

    def __init__(self, option: str, reason: str) -> None:
        self.option, self.reason = option, reason
        super().__init__(
            f"{option}: {reason}\nIt must be a Python file or module that calls run_e11_job([...]) when run."
        )


@dataclass(frozen=True, slots=True)
class JobsMain:
    """A command that runs the jobs."""

    name: str
    command: Sequence[str]
    option: str
    """The option that says so, with its value."""

    @classmethod
    def find(cls, name: str, python: str, option: str | None = None) -> Self:
        """Find the file or module *name*, to be run by the interpreter *python*. Raises InvalidJobsMain."""
        path, option = Path(name), option or f"--jobs {name}"
        if path.is_file():
            # A link may be made to lead elsewhere.
            return cls(name, [python, os.path.abspath(path)], option)  # noqa: PTH100 -- resolves no links
        if path.suffix == ".py" or os.sep in name:
            raise InvalidJobsMain(option, f"there is no such file in {Path.cwd()}.")
        try:
            is_module = importlib.util.find_spec(name) is not None
        except (ImportError, ValueError):
            is_module = False
        if not is_module and not Path(name.replace(".", os.sep) + ".py").is_file():
            raise InvalidJobsMain(option, "there is neither a file nor a module of this name.")
        return cls(name, [python, "-m", name], option)

    @property
    def identity(self) -> Sequence[str]:
        """Return what tells it from others."""
        return self.command

    def describe(
        self, variables: Mapping[str, str] | None = None, env: Mapping[str, str] | None = None
    ) -> tuple[JobDescription, ...]:
        """Run the jobs' main to learn what they publish of themselves.

        It has *variables*, or those here, and *env*.

        Raises InvalidJobsMain with its output if it fails.
        """
        own = os.environ if variables is None else variables
        asking = {**own, **(env or {}), "BACKGROUND_JOBS_DESCRIBE": "1"}
        return ask_jobs(self.command, asking, lambda reason: InvalidJobsMain(self.option, reason))


def ask_jobs(
    command: Sequence[str],
    variables: Mapping[str, str] | None,
    to_error: Callable[[str], BackgroundJobsError],
) -> tuple[JobDescription, ...]:
    """Return the jobs that *command* describes, or raise what *to_error* makes of the reason why not."""
    # Files, because a helper process that the main has started may hold a pipe open for ever.
    with TemporaryFile() as out, TemporaryFile() as err:
        try:
            status = subprocess.run(
                command,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                timeout=_DESCRIBE_SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            raise to_error(f"it did not name its jobs within {_DESCRIBE_SECONDS} s.") from None
        stdout, stderr = map(_read_text, (out, err))
    if status:
        raise to_error(f"it ended with status {status}:\n{stderr.strip()}")
    if sum(line.startswith(_DESCRIPTION) for line in stdout.splitlines()) > 1:
        raise to_error("it calls run_e11_job([...]) more than once: list all jobs in one call.")
    try:
        return _read_jobs(json.loads(stdout.splitlines()[-1]))
    except (IndexError, ValueError, KeyError, TypeError):
        raise to_error("it ended without a call of run_e11_job([...]).") from None


def _read_jobs(answer: Mapping[str, Any]) -> tuple[JobDescription, ...]:
    """Return the jobs in the answer of an image, which of an earlier release has names alone."""
    jobs = answer["jobs"] if "jobs" in answer else [{"name": name} for name in answer["job_names"]]
    return tuple(map(JobDescription.model_validate, jobs))


def _read_text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
