"""`background-jobs local`: the offline stack around one command, or one that stays."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from background_jobs.cli.local_command import exit_on_sigterm, run_in_project, run_with
from background_jobs.cli.local_env import read_env
from background_jobs.cli.local_logs import logs
from background_jobs.cli.local_options import (
    Containers,
    Env,
    EnvFiles,
    Image,
    Jobs,
    Memory,
    Notify,
    Python,
    Services,
    read_pairs,
)
from background_jobs.cli.local_status import list_stacks, status
from background_jobs.cli.reporting import err, print_line, print_note, reporting

app = typer.Typer(help="The whole stack offline: no Docker, no AWS account.", no_args_is_help=True)


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
    env: Env = None,
    env_files: EnvFiles = None,
    notify: Notify = None,
) -> None:
    """Run a command with a stack around it, or against the one that is up for this project.

    With --jobs or --image a stack comes up, COMMAND runs against it, the stack goes down. With neither,
    COMMAND runs against the stack of `local up`. Exits with COMMAND's status.
    """
    with exit_on_sigterm(), reporting():
        from background_jobs.local_stack import InvalidLocalStack, LocalStack

        if jobs is None and image is None and not services:
            if any((containers, memory, python, env, env_files, notify)):
                raise InvalidLocalStack(
                    "These are options of a new stack: say what it runs with --jobs FILE."
                )
            raise typer.Exit(run_in_project(command))
        stack = LocalStack(
            jobs,
            services=read_pairs(services, "--service", "NAME=FILE"),
            image=image,
            containers=containers,
            memory_mib=memory,
            python=python,
            env=read_env(env, env_files),
            notify=read_pairs(notify, "--webhook", "NAME=URL"),
        )
        with _status("Starting the offline stack"):
            stack.start()
        _print_console_address(stack.settings.api_url)
        try:
            status = run_with(command, stack)
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
    env: Env = None,
    env_files: EnvFiles = None,
    notify: Notify = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="The emulator's port; 0 takes a free one.")
    ] = 0,
) -> None:
    """Bring up a stack that stays, as that of this project.

    The project begins at the nearest folder, from this one upwards, that has a pyproject.toml or a .git;
    where none has, it is this folder.

    Where one is up, options that it does not have are refused.

    Prints what a shell must export to use it: eval "$(background-jobs local up --jobs FILE)"
    """
    with reporting():
        from background_jobs.local_stack import LocalStack
        from background_jobs.local_stack.projects import find_project
        from background_jobs.local_stack.running_stack import RunningStack
        from background_jobs.local_stack.stack_notes import starting
        from background_jobs.local_stack.stack_options import StackOptions

        project = find_project()
        options = StackOptions(
            jobs=jobs,
            services=read_pairs(services, "--service", "NAME=FILE"),
            image=image,
            containers=containers,
            memory_mib=memory,
            python=python,
            env=read_env(env, env_files),
            notify=read_pairs(notify, "--webhook", "NAME=URL"),
            port=port,
        )
        with starting(project):
            stack = RunningStack.find(project)
            is_new = stack is None
            if stack is None:
                new = LocalStack(**options.model_dump())
                with _status("Starting the offline stack"):
                    stack = RunningStack.start(new, project)
            else:
                stack.refuse_others(options)
        if is_new:
            print_note(
                f"The stack is up with the jobs of {stack.describe_jobs()}. "
                "`background-jobs local down` ends it."
            )
        else:
            print_note(f"The offline stack was up already, with the jobs of {stack.describe_jobs()}.")
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


app.command("list")(list_stacks)
app.command()(status)
app.command()(logs)


def _print_console_address(api_url: str) -> None:
    print_note(f"The console is at {api_url}/")


@contextmanager
def _status(doing: str) -> Iterator[None]:
    if sys.stderr.isatty():
        with err().status(f"{doing} ..."):
            yield
    else:
        print_note(f"{doing} ...")
        yield
