"""The options --env and --env-file, read as those of `docker run` and `docker compose`."""

import os
from pathlib import Path

import typer

from background_jobs.cli.reporting import print_note


def read_env(texts: list[str] | None, files: list[Path] | None) -> dict[str, str]:
    """Return the variables that containers are to have; those of *texts* before those of *files*.

    Raises BadParameter.
    """
    read = {}
    for path in files or ():
        read.update(_read_file(path))
    read.update(map(_read_option, texts or ()))
    return read


def _read_option(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not name:
        raise typer.BadParameter(f"{text}: write NAME=VALUE, or NAME for its value here.", param_hint="--env")
    return name, value if separator else _value_here(name, "--env")


def _read_file(path: Path) -> dict[str, str]:
    from dotenv.parser import parse_stream

    from background_jobs.local_stack.job_variables import leads_elsewhere

    read = {}
    try:
        with path.open(encoding="utf-8") as stream:
            for binding in parse_stream(stream):
                if binding.error:
                    raise typer.BadParameter(
                        f"{path}, line {binding.original.line}: write NAME=VALUE.", param_hint="--env-file"
                    )
                if binding.key is not None:
                    value = binding.value
                    read[binding.key] = _value_here(binding.key, str(path)) if value is None else value
    except (OSError, UnicodeDecodeError) as unreadable:
        reason = unreadable.strerror if isinstance(unreadable, OSError) else "it is not UTF-8"
        raise typer.BadParameter(f"{path}: {reason}.", param_hint="--env-file") from None
    elsewhere = sorted(filter(leads_elsewhere, read))
    if elsewhere:
        print_note(f"Left out of {path}, as they might lead jobs to an account: {', '.join(elsewhere)}.")
    return {name: value for name, value in read.items() if name not in elsewhere}


def _value_here(name: str, option: str) -> str:
    if (value := os.environ.get(name)) is None:
        raise typer.BadParameter(f"{name} has no value, and is not set here either.", param_hint=option)
    return value
