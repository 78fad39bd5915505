"""How commands speak: results on standard output, all else on standard error."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape

from background_jobs.core.errors import BackgroundJobsError

err = Console(stderr=True, highlight=False)


@contextmanager
def reporting() -> Iterator[None]:
    """Print an error of ours as a sentence, and exit with status 2."""
    try:
        yield
    except BackgroundJobsError as error:
        err.print(f"[red]Error:[/red] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(2) from None
