"""The stack that runs between commands: a file notes it, by which other commands find and end it."""

import os
import shutil
import time
from pathlib import Path
from typing import Self

import psutil
from pydantic import BaseModel

from background_jobs.local_stack.docker_launcher import remove_containers
from background_jobs.local_stack.jobs_image import JobsImage
from background_jobs.local_stack.processes import end_all, find_processes
from background_jobs.local_stack.stack import LocalStack
from background_jobs.local_stack.variables import unwanted_variables
from background_jobs.settings import Settings


class RunningStack(BaseModel):
    """The note of a stack that runs between commands."""

    stack_id: str
    pid: int
    jobs: str
    """The file, module or image that runs the jobs."""
    in_docker: bool = False
    containers: int
    folder: Path
    started_at: float
    """Seconds since the epoch."""
    variables: dict[str, str]

    @classmethod
    def find(cls) -> Self | None:
        """Return the stack that runs, or None; the note of a stack that died is removed."""
        note = _note()
        if not note.exists():
            return None
        stack = cls.model_validate_json(note.read_text())
        if stack.pid in {process.pid for process in find_processes(stack.stack_id)}:
            return stack
        stack.end(keep_logs=True)
        return None

    @classmethod
    def start(cls, stack: LocalStack) -> Self:
        """Start *stack* to outlive this process, and note it. Raises LocalStackError or InvalidJobsMain."""
        stack.start(ends_with_parent=False)
        running = cls(
            stack_id=stack.stack_id,
            pid=stack.pid,
            jobs=stack.main.name,
            in_docker=isinstance(stack.main, JobsImage),
            containers=stack.containers,
            folder=stack.folder,
            started_at=time.time(),
            variables=stack.variables,
        )
        note = _note()
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(running.model_dump_json(indent=2))
        return running

    @property
    def api_url(self) -> str:
        """Return the address of the progress API and the console."""
        return Settings.from_env(self.variables).api_url

    @property
    def unwanted_variables(self) -> tuple[str, ...]:
        """Return which variables of this process would lead its clients elsewhere."""
        return unwanted_variables(os.environ, self.variables)

    @property
    def uptime_seconds(self) -> float:
        """Return for how many seconds the stack has been up."""
        return time.time() - self.started_at

    def running_containers(self) -> int:
        """Return how many containers run now."""
        processes = find_processes(self.stack_id)
        return sum("JOB_NAME" in _variables(process) for process in processes)

    def end(self, *, keep_logs: bool = False) -> None:
        """Take the stack down; no process of it is left, and no log unless they may say why it died."""
        end_all(self.stack_id)
        if self.in_docker:
            remove_containers(self.stack_id)
        if not keep_logs:
            shutil.rmtree(self.folder, ignore_errors=True)
        _note().unlink(missing_ok=True)


def _variables(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}


def _note() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "background-jobs" / "local.json"
