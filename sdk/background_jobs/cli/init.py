"""`background-jobs init`: a small repository to begin with."""

import json
from pathlib import Path
from typing import Annotated

import typer

from background_jobs.cli.arguments import AsJson
from background_jobs.cli.reporting import print_json_text, print_line, print_note, reporting


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", file_okay=False, help="Where to write it; by default here.")
    ] = Path(),
    wheel: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            exists=True,
            help="The wheel of this SDK for the image; by default the one that it was installed from, or "
            "that is in wheels/ here.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a small repository: a job, a kick-off, a test, the stack, the image and CI.

    Nothing is overwritten: where one of the files is there already, none is written.
    """
    with reporting():
        from background_jobs.cli.new_repository import choose_wheel, new_repository, write_new

        source = choose_wheel(wheel)
        written = write_new(folder, new_repository(source))
    if as_json:
        print_json_text(json.dumps({"folder": str(folder), "files": written}))
        return
    for path in written:
        print_line(str(folder / path))
    if source is None:
        print_note("The image has no SDK to install yet: README.md says where it may come from.")
    print_note(f"{folder / 'README.md'} says how to go on.")
