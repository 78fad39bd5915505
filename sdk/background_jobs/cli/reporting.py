"""The output of commands: results on standard output, sentences for people on standard error."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Final

import typer

from background_jobs.cli.exit_status import ExitStatus
from background_jobs.cli.times import format_utc
from background_jobs.cli.untrusted import printable, safe_json
from background_jobs.core.errors import (
    BackgroundJobsError,
    EventConflict,
    EventNotPublished,
    LogNotFound,
    NoRoomForParams,
    PayloadDenied,
    PayloadNotFound,
    ServiceUnreachable,
    UnreadableEvent,
)
from background_jobs.core.wording import as_sentence

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console

_FAILURES: Final = (
    EventConflict,
    EventNotPublished,
    LogNotFound,
    NoRoomForParams,
    PayloadDenied,
    PayloadNotFound,
    ServiceUnreachable,
    UnreadableEvent,
)
"""What nobody asked for wrongly: AWS failed, or what is to be read is gone."""


@cache
def out() -> "Console":
    """Return the console of standard output."""
    return _console_class()(markup=False, emoji=False, highlight=False)


@cache
def err() -> "Console":
    """Return the console of standard error."""
    return _console_class()(stderr=True, markup=False, emoji=False, highlight=False)


@cache
def _console_class() -> "type[Console]":
    from rich.console import Console

    class QuietConsole(Console):
        def on_broken_pipe(self) -> None:
            # By default it exits with 1, which says that an instance errored.
            raise BrokenPipeError

    return QuietConsole


def on_terminal() -> bool:
    """Tell whether standard output is a terminal that can draw."""
    return has_terminal() and not out().is_dumb_terminal


def has_terminal() -> bool:
    """Tell whether standard output is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def asks_people() -> bool:
    """Tell whether somebody can answer a question: it is read from standard input, and put on the screen."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def print_note(sentence: str) -> None:
    """Print *sentence* for people, on standard error."""
    err().print(printable(sentence, lines=True), soft_wrap=True)


def print_error(sentence: str) -> None:
    """Print *sentence* as an error, on standard error."""
    from rich.text import Text

    message = Text.assemble(("Error:", "red"), " ", printable(sentence, lines=True))
    err().print(message, soft_wrap=not err().is_terminal)


def print_line(text: str) -> None:
    """Print *text*, which is safe for a terminal, on a line of standard output.

    `typer.echo` writes UTF-8 where the output does not take it.
    """
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def print_json(model: "BaseModel") -> None:
    """Print *model* as an object on a line of its own."""
    print_json_text(model.model_dump_json())


def print_json_text(document: str) -> None:
    """Print a JSON document of one line, with escapes where standard output cannot encode it."""
    print_line(safe_json(document, sys.stdout.encoding))


def print_row(*cells: object) -> None:
    """Print a line for programs: *cells*, which others may have written, with tabs between them.

    A moment is in UTC, a boolean as in JSON, and None is empty.
    """
    print_line("\t".join(map(_format_cell, cells)))


def print_fields(model: "BaseModel") -> None:
    """Print *model* for programs, a line for each field: its name as in the JSON, and its value.

    The names of what is inside another field follow its name and a dot.
    """
    for name, value in _walk_fields("", model.model_dump(mode="json")):
        print_row(name, value)


def _walk_fields(name: str, value: object) -> "Iterator[tuple[str, object]]":
    if not isinstance(value, dict | list):
        yield name, value
        return
    for key, part in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _walk_fields(f"{name}.{key}" if name else str(key), part)


def _format_cell(cell: object) -> str:
    if isinstance(cell, datetime):
        return format_utc(cell)
    if isinstance(cell, bool):
        return json.dumps(cell)
    return "" if cell is None else printable(str(cell))


@contextmanager
def reporting() -> Iterator[None]:
    """Print an error of ours, of AWS or of the system as a sentence, and exit with its status."""
    try:
        yield
    except BackgroundJobsError as error:
        print_error(str(error))
        raise typer.Exit(ExitStatus.FAILED if isinstance(error, _FAILURES) else ExitStatus.REFUSED) from None
    except BrokenPipeError:
        # The reader of our output has closed it.
        raise
    except OSError as error:
        where = error.filename or "standard output"
        print_error(f"{where}: {error.strerror}" if error.strerror else str(error))
        raise typer.Exit(ExitStatus.FAILED) from None
    except Exception as error:
        from botocore.exceptions import BotoCoreError, ClientError, NoRegionError, ProfileNotFound

        if not isinstance(error, BotoCoreError | ClientError):
            raise
        match error:
            case NoRegionError():
                advice = "Set AWS_REGION, or a region of the profile."
            case ProfileNotFound():
                advice = "Check AWS_PROFILE."
            case _:
                advice = "Check what your credentials may do, and that the settings name what is deployed."
        print_error(f"{as_sentence(str(error))} {advice}")
        raise typer.Exit(ExitStatus.FAILED) from None
