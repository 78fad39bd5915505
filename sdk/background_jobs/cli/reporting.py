"""The output of commands: results on standard output, sentences for people on standard error."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Final

import typer

from background_jobs.cli.untrusted import printable, safe_json
from background_jobs.core.errors import BackgroundJobsError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console


_ASCII: Final = {"✓": "+", "✗": "x", "→": "->"}


@cache
def out() -> "Console":
    """Return the console of standard output."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False)


@cache
def err() -> "Console":
    """Return the console of standard error."""
    from rich.console import Console

    return Console(stderr=True, markup=False, emoji=False, highlight=False)


def on_terminal() -> bool:
    """Tell whether standard output is a terminal that can draw."""
    return sys.stdout.isatty() and not out().is_dumb_terminal


def print_note(sentence: str) -> None:
    """Print *sentence* for people, on standard error."""
    err().print(printable(sentence, lines=True), soft_wrap=True)


def print_error(sentence: str) -> None:
    """Print *sentence* as an error, on standard error."""
    from rich.text import Text

    message = Text.assemble(("Error:", "red"), " ", printable(sentence, lines=True))
    err().print(message, soft_wrap=not err().is_terminal)


def print_json(model: "BaseModel") -> None:
    """Print one model, as an object over several lines."""
    typer.echo(safe_json(model.model_dump_json(indent=2)))


def print_json_line(model: "BaseModel") -> None:
    """Print one of many models, as an object on a line of its own."""
    typer.echo(safe_json(model.model_dump_json()))


def encodable(line: str) -> str:
    """Return *line* with marks and characters that standard output can encode, if it is open at all."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        line.encode(encoding)
    except UnicodeEncodeError:
        for mark, plain in _ASCII.items():
            line = line.replace(mark, plain)
        return line.encode(encoding, "replace").decode(encoding)
    return line


@contextmanager
def reporting() -> Iterator[None]:
    """Print an error of ours, of AWS or of the system as a sentence, and exit with status 2."""
    try:
        yield
    except BackgroundJobsError as error:
        print_error(str(error))
        raise typer.Exit(2) from None
    except BrokenPipeError:
        # The reader of our output has closed it.
        raise
    except OSError as error:
        print_error(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        raise typer.Exit(2) from None
    except Exception as error:
        from botocore.exceptions import BotoCoreError, ClientError

        if not isinstance(error, BotoCoreError | ClientError):
            raise
        print_error(
            f"{error}. Check what your credentials may do, and that the settings name a deployed environment."
        )
        raise typer.Exit(2) from None
