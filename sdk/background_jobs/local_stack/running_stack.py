"""The stack that runs between commands: each project has its own, which a file notes."""

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import psutil
from pydantic import BaseModel, ValidationError

from background_jobs.core.errors import JobsNotLoaded
from background_jobs.local_stack.docker_containers import remove_containers
from background_jobs.local_stack.job_variables import digest
from background_jobs.local_stack.mains import describe_services
from background_jobs.local_stack.processes import (
    STACK_ID,
    STACK_PROJECT,
    end_all,
    find_marked,
    find_processes,
)
from background_jobs.local_stack.stack import LocalStack, log_folder
from background_jobs.local_stack.stack_notes import UnreadableNote, note_path, remove_note, write_note
from background_jobs.local_stack.stack_options import StackDiffers, StackOptions
from background_jobs.local_stack.variables import connect, replace_variables, unwanted_variables
from background_jobs.settings import Settings

if TYPE_CHECKING:
    from background_jobs.orchestration_service import OrchestrationService


class RunningStack(BaseModel):
    """The note of the stack of a project."""

    project: Path
    stack_id: str
    pid: int
    """The process of the stack; 0 while it is being started."""
    jobs: dict[str, str]
    """The file, module or image that runs the jobs of each service."""
    in_docker: bool = False
    commands: dict[str, list[str]]
    """How each of them is run, which tells it from others of its name."""
    memory_mib: int | None = None
    env: dict[str, str] = {}
    """The variables that its containers were given, each with a digest of its value."""
    notify: dict[str, str] = {}
    containers: int
    folder: Path
    started_at: float
    """Seconds since the epoch."""
    variables: dict[str, str]

    @classmethod
    def find(cls, project: Path) -> Self | None:
        """Return the stack of *project* that is up, or None. Raises UnreadableNote."""
        stack = cls.read_note(note_path(project))
        if stack is None:
            if find_marked(STACK_PROJECT, str(project)):
                raise UnreadableNote(note_path(project), "is gone, though its processes run")
            return None
        is_up = stack.pid in {process.pid for process in find_processes(stack.stack_id)}
        return stack if is_up else None

    @classmethod
    def start(cls, stack: LocalStack, project: Path) -> Self:
        """Start *stack* to outlive this process as that of *project*, and note it.

        What an earlier one left behind is ended first, and its log removed, which nothing would find any
        more. Raises LocalStackError or InvalidJobsMain, and nothing was started then.
        """
        cls.end(project)
        note = cls(
            project=project,
            stack_id=stack.stack_id,
            pid=0,
            jobs={name: main.name for name, main in stack.mains.items()},
            in_docker=stack.in_docker,
            commands={name: list(main.identity) for name, main in stack.mains.items()},
            memory_mib=stack.memory_mib,
            env=digest(stack.stack_id, stack.env),
            notify=stack.notify,
            containers=stack.containers,
            folder=stack.folder,
            started_at=time.time(),
            variables={},
        )
        # Noted before it is there, so that it can be ended if this command is killed meanwhile.
        note.write(project)
        try:
            stack.start(project=project)
            running = note.model_copy(update={"pid": stack.pid, "variables": stack.variables})
            running.write(project)
        except BaseException:
            stack.stop()
            remove_note(project)
            raise
        return running

    @classmethod
    def end(cls, project: Path) -> bool:
        """Take the stack of *project* down, and tell whether there was one; no process of it is left.

        It is found by its note, and by its processes where there is none that can be read.
        """
        try:
            note = cls.read_note(note_path(project))
        except UnreadableNote:
            note = None
        stack_ids = {_variable(process, STACK_ID) for process in find_marked(STACK_PROJECT, str(project))}
        if note is not None:
            stack_ids.add(note.stack_id)
        for stack_id in filter(None, stack_ids):
            _end_processes(stack_id, in_docker=note is None or note.in_docker)
            shutil.rmtree(log_folder(stack_id), ignore_errors=True)
        if note is not None:
            shutil.rmtree(note.folder, ignore_errors=True)
        return remove_note(project) or bool(stack_ids)

    def describe_jobs(self) -> str:
        """Return what runs the jobs: ``jobs.py``, or ``default=jobs.py, billing=billing.py``."""
        return describe_services(self.jobs)

    def find_jobs(self) -> tuple[list[str], list[str]]:
        """Return the names of the jobs by now, and why edited ones cannot be loaded, each reason a text.

        Where that is so of all services, they are the names of the start.
        """
        try:
            jobs = self.service().jobs()
        except JobsNotLoaded as reason:
            return list(Settings.from_env(self.variables).job_names), [str(reason)]
        return [job.name for job in jobs], [str(reason) for reason in jobs.not_loaded.values()]

    def refuse_others(self, options: StackOptions) -> None:
        """Raise StackDiffers if *options* ask for something that the stack does not have."""
        commands, port = options.find_commands(), urlsplit(self.variables["AWS_ENDPOINT_URL"]).port
        differences = []
        if commands and commands != self.commands:
            differences.append(
                f"it runs {_describe_commands(self.commands)}, not {_describe_commands(commands)}"
            )
        for option, own, asked in (
            ("--containers", self.containers, options.containers),
            ("--memory", self.memory_mib, options.memory_mib),
            ("--webhook", describe_services(self.notify) or None, describe_services(options.notify)),
            ("--port", port, options.port),
        ):
            if asked and asked != own:
                differences.append(f"{option} is {own or 'not set'}, not {asked}")
        asked_env = digest(self.stack_id, options.env)
        if others := [name for name, value in asked_env.items() if self.env.get(name) != value]:
            differences.append(f"its containers have no {', '.join(others)}, or with another value")
        if differences:
            raise StackDiffers(self.project, differences)

    @property
    def api_url(self) -> str:
        """Return the address of the progress API and the console."""
        return Settings.from_env(self.variables).api_url

    @property
    def unwanted_variables(self) -> tuple[str, ...]:
        """Return which variables of this process would lead its clients elsewhere."""
        return unwanted_variables(os.environ, self.variables)

    def service(self) -> "OrchestrationService":
        """Return the service of this stack, whatever the variables of this process say."""
        return connect(self.variables)

    def process_variables(self) -> dict[str, str]:
        """Return all variables for a process that is to use the stack: this process's, with its own."""
        return replace_variables(os.environ, self.variables)

    @property
    def uptime_seconds(self) -> float:
        """Return for how many seconds the stack has been up."""
        return time.time() - self.started_at

    def running_containers(self) -> int:
        """Return how many containers run now."""
        return sum(bool(_variable(process, "JOB_NAME")) for process in find_processes(self.stack_id))

    @classmethod
    def read_note(cls, path: Path) -> Self | None:
        """Return what a note says; None where it is gone. Raises UnreadableNote."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise UnreadableNote(path, f"cannot be read: {error.strerror}") from error
        except ValidationError as error:
            raise UnreadableNote(path, "is damaged") from error

    def write(self, project: Path) -> None:
        """Note the stack as that of *project*. Raises UnwritableNote."""
        write_note(note_path(project), self.model_dump_json(indent=2))


def find_running() -> list[RunningStack]:
    """Return the stacks that are up on this machine, by project; of those of other users nothing is known."""
    projects = {_variable(process, STACK_PROJECT) for process in find_marked(STACK_PROJECT)}
    found = []
    for project in sorted(filter(None, projects)):
        with suppress(UnreadableNote):
            found.append(RunningStack.find(Path(project)))
    return [stack for stack in found if stack is not None]


def describe_absence(project: Path) -> str:
    """Return that no stack is up for *project*, whether one has died, and for which ones there is."""
    others = ", ".join(str(stack.project) for stack in find_running() if stack.project != project)
    elsewhere = (
        f" There is one for each of {others}; commands in that folder use and end it." if others else ""
    )
    died = (
        ": the one that was has died, and `background-jobs local logs` shows what it wrote"
        if has_died(project)
        else ""
    )
    return f"No offline stack is up for {project}{died}.{elsewhere}"


def has_died(project: Path) -> bool:
    """Tell whether a stack of *project* was up that nobody took down; its logs are there still.

    Raises UnreadableNote.
    """
    note = RunningStack.read_note(note_path(project))
    return bool(note and note.pid and note.folder.is_dir()) and RunningStack.find(project) is None


def _describe_commands(commands: Mapping[str, Sequence[str]]) -> str:
    return describe_services({name: " ".join(words) for name, words in commands.items()})


def _end_processes(stack_id: str, *, in_docker: bool) -> None:
    end_all(stack_id)
    if in_docker and shutil.which("docker"):
        remove_containers(stack_id)


def _variable(process: psutil.Process, name: str) -> str:
    try:
        return process.environ().get(name, "")
    except psutil.Error:
        return ""
