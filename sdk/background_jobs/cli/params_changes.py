"""What a rerun changes in params, and which instances it runs, as the command line spells it."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from background_jobs.cli.params_file import STANDARD_INPUT
from background_jobs.core.strict_json import read_json


def read_ranges(texts: Sequence[str] | None) -> str | None:
    """Return the ranges of every `--index` as one text."""
    return ",".join(texts) if texts else None


def read_params(file: Path | None) -> dict[str, Any] | None:
    """Read the params of one instance from *file*. Raises BadParameter."""
    if file is None:
        return None
    if file == STANDARD_INPUT and sys.stdin is None:
        message = "standard input: it is closed; name a file, or pipe the params in."
        raise typer.BadParameter(message, param_hint="--params")
    try:
        text = sys.stdin.buffer.read() if file == STANDARD_INPUT else file.read_bytes()
        params = read_json(text)
    except OSError as failure:
        raise typer.BadParameter(f"{file}: {failure.strerror}.", param_hint="--params") from None
    except (ValueError, RecursionError) as invalid:
        raise typer.BadParameter(f"{file}: it is no JSON: {invalid}.", param_hint="--params") from None
    if not isinstance(params, dict):
        raise typer.BadParameter(f'{file}: write an object: {{"n": 3}}.', param_hint="--params")
    return params


def read_patch(texts: Sequence[str] | None, option: str = "--set") -> dict[str, Any] | None:
    """Return the object that every `--set` makes up, or another *option*. Raises BadParameter.

    >>> read_patch(["region=eu", "limits.rate=10", "old=null"])
    {'region': 'eu', 'limits': {'rate': 10}, 'old': None}
    """
    patch: dict[str, Any] = {}
    for text in texts or ():
        name, separator, value = text.partition("=")
        if not (separator and all(name.split("."))):
            raise typer.BadParameter(f"{text!r} names no value; write NAME=VALUE.", param_hint=option)
        *outer, last = name.split(".")
        inner = patch
        for part in outer:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise typer.BadParameter(f"{part!r} in {name!r} is set as a whole, too.", param_hint=option)
        inner[last] = _read_value(value)
    return patch or None


def _read_value(text: str) -> Any:  # noqa: ANN401 -- any JSON
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
