"""The command that `background-jobs local run` runs against an offline stack."""

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import typer

from background_jobs.cli.reporting import print_error, print_note

if TYPE_CHECKING:
    from background_jobs.local_stack import LocalStack

_DEATH_SECONDS: Final = 5
"""How long the system may take at most to tell that the process of a stack that died has ended."""


def run_in_project(command: list[str]) -> int:
    """Run *command* against the stack of this project, and return its status."""
    from background_jobs.local_stack.attaching import NoStackOfProject
    from background_jobs.local_stack.projects import find_project
    from background_jobs.local_stack.running_stack import RunningStack

    project = find_project()
    if (stack := RunningStack.find(project)) is None:
        raise NoStackOfProject(project)
    print_note(f"Using the offline stack of {stack.project}.")
    return _run_to_end(command, stack.process_variables(), stack=None)


def run_with(command: list[str], stack: "LocalStack") -> int:
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
    watching = None
    if stack is not None:
        watching = threading.Thread(target=_end_with_stack, args=(stack, child), daemon=True)
        watching.start()
    try:
        # Ctrl-C reaches the command too, for it is in the same process group; it decides how it ends.
        status = child.wait()
    except KeyboardInterrupt:
        status = _wait_or_kill(child, signal.SIGINT)
    except _SigtermReceived:
        child.terminate()
        status = _wait_or_kill(child, signal.SIGTERM)
    if watching is not None and status == -signal.SIGTERM:
        # The watchdog of a stack that died may end the command before the stack's process has an end to tell.
        watching.join(_DEATH_SECONDS)
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
def exit_on_sigterm() -> Iterator[None]:
    """Exit with the status that shells have where SIGTERM or Ctrl-C ends what is in the context."""

    def end(_number: int, _frame: object) -> None:
        raise _SigtermReceived

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    except _SigtermReceived:
        raise typer.Exit(128 + signal.SIGTERM) from None
    except KeyboardInterrupt:
        raise typer.Exit(128 + signal.SIGINT) from None
