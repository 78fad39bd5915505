"""`background-jobs local`: the offline stack around one command, or one that stays."""

import json
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from background_jobs.cli.exit_status import ExitStatus
from background_jobs.cli.reporting import (
    err,
    on_terminal,
    print_error,
    print_json_text,
    print_line,
    print_note,
    print_row,
    reporting,
)
from background_jobs.cli.untrusted import printable

if TYPE_CHECKING:
    from background_jobs.local_stack import LocalStack
    from background_jobs.local_stack.running_stack import RunningStack

app = typer.Typer(help="The whole stack offline: no Docker, no AWS account.", no_args_is_help=True)

Jobs = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="A Python file or module that calls run_e11_job([...]) when run.",
        show_default=False,
    ),
]
Services = Annotated[
    list[str] | None,
    typer.Option(
        "--service",
        metavar="NAME=FILE",
        help="A service and its jobs, a file or module; may be repeated.",
        show_default=False,
    ),
]
Image = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="In place of --jobs: the image to be deployed, run by Docker.",
        show_default=False,
    ),
]
Memory = Annotated[
    int | None,
    typer.Option(
        min=6,
        metavar="N",
        help="MiB of each container of --image. [default: the task definition's, 1024]",
        show_default=False,
    ),
]
Containers = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Containers at once. [default: the number of processors, at least 2]"
    ),
]
Python = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="The interpreter that runs the jobs. [default: this one]", show_default=False
    ),
]
Notify = Annotated[
    list[str] | None,
    typer.Option(
        "--webhook",
        metavar="NAME=URL",
        help="A channel for notifications, and its webhook; may be repeated.",
        show_default=False,
    ),
]


@app.command(context_settings={"ignore_unknown_options": True})
def run(  # noqa: PLR0913, PLR0917 -- its options are keywords
    command: Annotated[
        list[str], typer.Argument(metavar="COMMAND", help="The command and its arguments, after `--`.")
    ],
    jobs: Jobs = None,
    services: Services = None,
    image: Image = None,
    containers: Containers = None,
    memory: Memory = None,
    python: Python = None,
    notify: Notify = None,
) -> None:
    """Run a command with a stack around it, or against the one that is up for this project.

    With --jobs or --image a stack comes up, COMMAND runs against it, the stack goes down. With neither,
    COMMAND runs against the stack of `local up`. Exits with COMMAND's status.
    """
    with _exit_on_sigterm(), reporting():
        from background_jobs.local_stack import InvalidLocalStack, LocalStack

        if jobs is None and image is None and not services:
            if any((containers, memory, python, notify)):
                raise InvalidLocalStack(
                    "These are options of a new stack: say what it runs with --jobs FILE."
                )
            raise typer.Exit(_run_in_project(command))
        stack = LocalStack(
            jobs,
            services=_read_pairs(services, "--service", "NAME=FILE"),
            image=image,
            containers=containers,
            memory_mib=memory,
            python=python,
            notify=_read_pairs(notify, "--webhook", "NAME=URL"),
        )
        with _status("Starting the offline stack"):
            stack.start()
        _print_console_address(stack.settings.api_url)
        try:
            status = _run(command, stack)
        finally:
            stack.stop()
    raise typer.Exit(status)


@app.command()
def up(  # noqa: PLR0913, PLR0917 -- its options are keywords
    jobs: Jobs = None,
    services: Services = None,
    image: Image = None,
    containers: Containers = None,
    memory: Memory = None,
    python: Python = None,
    notify: Notify = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="The emulator's port; 0 takes a free one.")
    ] = 0,
) -> None:
    """Bring up a stack that stays, as that of this project.

    The project begins at the nearest folder, from this one upwards, that has a pyproject.toml or a .git;
    where none has, it is this folder.

    Prints what a shell must export to use it: eval "$(background-jobs local up --jobs FILE)"
    """
    with reporting():
        from background_jobs.local_stack import LocalStack
        from background_jobs.local_stack.projects import find_project
        from background_jobs.local_stack.running_stack import RunningStack
        from background_jobs.local_stack.stack_notes import starting

        project = find_project()
        with starting(project):
            stack = RunningStack.find(project)
            is_new = stack is None
            if stack is None:
                new = LocalStack(
                    jobs,
                    services=_read_pairs(services, "--service", "NAME=FILE"),
                    image=image,
                    containers=containers,
                    memory_mib=memory,
                    python=python,
                    notify=_read_pairs(notify, "--webhook", "NAME=URL"),
                    port=port,
                )
                with _status("Starting the offline stack"):
                    stack = RunningStack.start(new, project)
        if is_new:
            print_note(
                f"The stack is up with the jobs of {stack.describe_jobs()}. "
                "`background-jobs local down` ends it."
            )
        else:
            print_note(f"The offline stack was up already, with the jobs of {stack.describe_jobs()}.")
            if stack.describe_jobs() != (image or jobs):
                print_note("It keeps those; for others, take it down first: background-jobs local down")
        _print_console_address(stack.api_url)
    if unwanted := stack.unwanted_variables:
        print_line(f"unset {' '.join(unwanted)}")
    for name, value in stack.variables.items():
        print_line(f"export {name}={shlex.quote(value)}")


@app.command()
def down() -> None:
    """Take the stack of this project down."""
    with reporting():
        from background_jobs.local_stack.projects import find_project
        from background_jobs.local_stack.running_stack import RunningStack, describe_absence

        project = find_project()
        if RunningStack.end(project):
            print_note(f"The offline stack of {project} is down.")
        else:
            print_note(describe_absence(project))


@app.command("list")
def list_stacks(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, one object a line, and nothing else.")
    ] = False,
) -> None:
    """List the stacks that are up on this machine, of all projects."""
    with reporting():
        from background_jobs.local_stack.running_stack import find_running

        for stack in find_running():
            facts = {
                "project": str(stack.project),
                "jobs": stack.describe_jobs(),
                "console": f"{stack.api_url}/",
            }
            if as_json:
                print_json_text(json.dumps(facts))
            else:
                print_row(*facts.values())


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")] = False,
) -> None:
    """Tell whether the stack of this project is up, and what it does.

    Exits with 4 if none is.
    """
    with reporting():
        from background_jobs.local_stack.projects import find_project
        from background_jobs.local_stack.running_stack import describe_absence

        stack, project = _find_stack(), find_project()
        if stack is None and not as_json:
            print_note(describe_absence(project))
    if stack is None:
        if as_json:
            print_json_text(json.dumps({"up": False, "project": str(project)}))
        raise typer.Exit(ExitStatus.FOUND)
    facts: dict[str, Any] = {
        "up": True,
        "project": str(stack.project),
        "endpoint": stack.variables["AWS_ENDPOINT_URL"],
        "console": f"{stack.api_url}/",
        "jobs": stack.describe_jobs(),
        "job_names": stack.variables["BACKGROUND_JOBS_JOB_NAMES"].split(","),
        "containers": stack.running_containers(),
        "containers_at_most": stack.containers,
        "uptime_seconds": round(stack.uptime_seconds),
        "log_folder": str(stack.folder),
    }
    if as_json:
        print_json_text(json.dumps(facts))
        return
    for name, value in facts.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        if on_terminal():
            print_line(f"{name.replace('_', ' '):<20}{printable(str(shown))}")
        else:
            print_row(name, shown)


def _read_pairs(texts: list[str] | None, option: str, form: str) -> dict[str, str]:
    """Return values of *option* by their names. Raises BadParameter."""
    pairs = [text.partition("=") for text in texts or ()]
    read = {name: value for name, _, value in pairs}
    for name, separator, value in pairs:
        if not (name and value):
            raise typer.BadParameter(f"{name}{separator}{value!s}: write {form}.", param_hint=option)
        if read[name] != value:
            raise typer.BadParameter(f"{name} has two values, {value} and {read[name]}.", param_hint=option)
    return read


def _find_stack() -> "RunningStack | None":
    """Return the stack of this project that is up."""
    from background_jobs.local_stack.projects import find_project
    from background_jobs.local_stack.running_stack import RunningStack

    return RunningStack.find(find_project())


def _print_console_address(api_url: str) -> None:
    print_note(f"The console is at {api_url}/")


def _run_in_project(command: list[str]) -> int:
    """Run *command* against the stack of this project, and return its status."""
    from background_jobs.local_stack.attaching import NoStackOfProject
    from background_jobs.local_stack.projects import find_project

    if (stack := _find_stack()) is None:
        raise NoStackOfProject(find_project())
    print_note(f"Using the offline stack of {stack.project}.")
    return _run_to_end(command, stack.process_variables(), stack=None)


def _run(command: list[str], stack: "LocalStack") -> int:
    """Run *command* against *stack* and return its status as a shell does: 128 + n after signal n.

    What it leaves behind ends with the stack.
    """
    from background_jobs.local_stack.processes import STACK_ID

    # The stack's id marks the processes that the command leaves behind, so that they end with the stack.
    return _run_to_end(command, stack.process_variables() | {STACK_ID: stack.stack_id}, stack)


def _run_to_end(command: list[str], variables: dict[str, str], stack: "LocalStack | None") -> int:
    """Run *command* and return its status; it ends with *stack*, if there is one."""
    try:
        child = subprocess.Popen(command, env=variables)  # noqa: S603 -- the user's own command
    except OSError as error:
        print_error(f"{command[0]}: {error.strerror}")
        return 127
    if stack is not None:
        threading.Thread(target=_end_with_stack, args=(stack, child), daemon=True).start()
    try:
        # Ctrl-C reaches the command too, for it is in the same process group; it decides how it ends.
        status = child.wait()
    except KeyboardInterrupt:
        status = _wait_or_kill(child, signal.SIGINT)
    except _SigtermReceived:
        child.terminate()
        status = _wait_or_kill(child, signal.SIGTERM)
    if stack is not None and stack.has_ended:
        print_error(f"The offline stack ended by itself, with status {stack.wait()}; so did the command.")
    return status if status >= 0 else 128 - status


def _wait_or_kill(child: "subprocess.Popen[bytes]", number: signal.Signals) -> int:
    try:
        child.wait(timeout=10)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        child.kill()
        child.wait()
    return 128 + number


def _end_with_stack(stack: "LocalStack", child: "subprocess.Popen[bytes]") -> None:
    """Wait for the stack's process, and end the command if that ends first: it could only wait in vain."""
    stack.wait()
    if child.poll() is None and not stack.stopping:
        child.terminate()


class _SigtermReceived(BaseException):
    """SIGTERM came."""


@contextmanager
def _exit_on_sigterm() -> Iterator[None]:
    def end(_number: int, _frame: object) -> None:
        raise _SigtermReceived

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    except _SigtermReceived:
        raise typer.Exit(128 + signal.SIGTERM) from None
    except KeyboardInterrupt:
        raise typer.Exit(128 + signal.SIGINT) from None


@contextmanager
def _status(doing: str) -> Iterator[None]:
    if sys.stderr.isatty():
        with err().status(f"{doing} ..."):
            yield
    else:
        print_note(f"{doing} ...")
        yield
