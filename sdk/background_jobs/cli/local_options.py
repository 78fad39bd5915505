"""The options that say what an offline stack runs, and how."""

from pathlib import Path
from typing import Annotated

import typer

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
        min=1,
        max=1000,
        metavar="N",
        help="Containers at once, up to 1,000. [default: the number of processors, at least 2]",
    ),
]
Python = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="The interpreter that runs the jobs. [default: this one]", show_default=False
    ),
]
Env = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[=VALUE]",
        help="A variable of all containers; NAME alone has its value here. May be repeated.",
        show_default=False,
    ),
]
EnvFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--env-file",
        metavar="FILE",
        help="A file of such variables, NAME=VALUE a line, such as .env. May be repeated.",
        show_default=False,
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


def read_pairs(texts: list[str] | None, option: str, form: str) -> dict[str, str]:
    """Return values of *option* by their names. Raises BadParameter."""
    pairs = [text.partition("=") for text in texts or ()]
    read = {name: value for name, _, value in pairs}
    for name, separator, value in pairs:
        if not (name and value):
            raise typer.BadParameter(f"{name}{separator}{value!s}: write {form}.", param_hint=option)
        if read[name] != value:
            raise typer.BadParameter(f"{name} has two values, {value} and {read[name]}.", param_hint=option)
    return read
