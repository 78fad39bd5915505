"""The group of all commands: standard streams that can be written to, and an exit status for every end."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from background_jobs.cli.exit_status import ExitStatus
from background_jobs.cli.plain_text import PLAIN
from background_jobs.cli.reporting import print_error, reporting

_STANDARD: Final = (0, 1, 2)
_HELP: Final = frozenset({"-h", "--help"})
_UNDECODED: Final = "surrogates not allowed"
"""How Python, and pydantic after it, tell of bytes that came from outside and are no text in the locale."""
WANTS_HELP: Final = "background_jobs.wants_help"
"""In the context of all commands: whether one is to print its help, and no more."""


class Commands(TyperGroup):
    """Runs a command; however it ends, there is no traceback but that of a fault of ours."""

    def main(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 -- typer's own
        """Run the command that the arguments of the process name, and exit with its status."""
        prepare_streams()
        return super().main(*args, **options)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **options: Any) -> Any:  # noqa: ANN401 -- typer's own
        """Read the arguments."""
        wants_help = not _HELP.isdisjoint(args)
        with exit_statuses():
            context = super().make_context(info_name, args, parent, **options)
        context.meta[WANTS_HELP] = wants_help
        return context

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 -- typer's own
        """Run the command."""
        with exit_statuses():
            return super().invoke(ctx)


def prepare_streams() -> None:
    """Open what is closed of the standard streams, and let text through that they cannot encode.

    What opens the next file or socket would get the number of a closed stream, and our output with it.
    Standard input that is closed stays None, as it has nothing to read.
    """
    for number in _STANDARD:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 -- to the end
        if isinstance(stream := getattr(sys, name), TextIOWrapper):
            stream.reconfigure(errors=PLAIN)


@contextmanager
def exit_statuses() -> Iterator[None]:
    """Exit with the status that tells how the command in the `with` block ended."""
    try:
        with reporting(), _flushing():
            yield
    except BrokenPipeError:
        _discard_output()
        raise typer.Exit(ExitStatus.PIPE_CLOSED) from None
    except KeyboardInterrupt:
        raise typer.Exit(ExitStatus.INTERRUPTED) from None
    except typer.Abort as aborted:
        is_interrupted = isinstance(aborted.__context__, KeyboardInterrupt)
        raise typer.Exit(ExitStatus.INTERRUPTED if is_interrupted else ExitStatus.REFUSED) from None
    except TyperException as refused:
        _explain(refused)
        raise
    except typer.Exit:
        raise
    except Exception as fault:  # noqa: BLE001 -- the edge of the process: else Python would exit with 1
        if isinstance(fault, ValueError) and _UNDECODED in str(fault):
            print_error(
                "A name, a path or a value has characters that the locale of this process does not have. "
                "If they are UTF-8, set LC_ALL=C.UTF-8 or PYTHONUTF8=1."
            )
            raise typer.Exit(ExitStatus.REFUSED) from None
        traceback.print_exc()
        print_error("This is a fault of background-jobs itself; please report it with the lines above.")
        raise typer.Exit(ExitStatus.FAILED) from None


def _explain(refused: TyperException) -> None:
    """Say in our words why a value was *refused*, where typer took those of pydantic."""
    if refused.__cause__ is None:
        return
    from pydantic import ValidationError

    from background_jobs.core.refused_values import explain_refused

    if isinstance(refused.__cause__, ValidationError):
        refused.message = f"{explain_refused(refused.__cause__).removesuffix('.')}."


@contextmanager
def _flushing() -> Iterator[None]:
    """Write what is buffered while an error can still be told, for at the exit of Python it is too late."""
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
        except OSError:
            _discard_output()
            raise


def _discard_output() -> None:
    """Let what is left in the buffer go nowhere, or Python complains about it at its exit."""
    with suppress(OSError):  # tests have an output without a number
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
