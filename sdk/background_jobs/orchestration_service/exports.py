"""Outcomes as tables and files, for notebooks and other programs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from background_jobs.core.errors import LibraryNotInstalled
from background_jobs.core.outcomes import Failure, Outcome, Success
from background_jobs.core.views.outcomes import FailureView, SuccessView
from background_jobs.orchestration_service.replaced_file import replaced, replacing

_COLUMNS: Final = ("index", "job_id", "status", "attempts", "started_at", "ended_at", "seconds")
"""The columns that every table has, in front of those of params, results and errors."""


def import_library(name: str, *, needed_for: str, install: str) -> Any:  # noqa: ANN401 -- any module
    """Return the module *name*. Raises LibraryNotInstalled, which says what to *install*."""
    try:
        return import_module(name)
    except ImportError as absent:
        raise LibraryNotInstalled(name.partition(".")[0], needed_for, install) from absent


def to_pandas(outcomes: Iterable[Outcome]) -> Any:  # noqa: ANN401 -- pandas may be absent
    """Return a DataFrame with a row for each of *outcomes*. Raises LibraryNotInstalled."""
    pandas = import_library("pandas", needed_for="to_pandas()", install="pandas")
    columns = _columns([_row(outcome) for outcome in outcomes])
    return pandas.DataFrame({name: _series(values, pandas) for name, values in columns.items()})


def write_jsonl(outcomes: Iterable[Outcome], path: str | Path) -> None:
    """Write each of *outcomes* as a line of JSON, as ``background-jobs results --json`` prints it."""
    with replacing(Path(path)) as file:
        for outcome in outcomes:
            file.write(f"{_view(outcome).model_dump_json()}\n")


def write_parquet(outcomes: Iterable[Outcome], path: str | Path) -> None:
    """Write the same table as `to_pandas` to a file of Parquet. Raises LibraryNotInstalled.

    A column that has objects, arrays or values of several types is of JSON texts.
    """
    needed_for = "to_parquet()"
    pyarrow = import_library("pyarrow", needed_for=needed_for, install="pyarrow")
    parquet = import_library("pyarrow.parquet", needed_for=needed_for, install="pyarrow")
    columns = _columns([_row(outcome) for outcome in outcomes])
    table = pyarrow.table({name: _array(values, pyarrow) for name, values in columns.items()})
    with replaced(Path(path)) as part:
        parquet.write_table(table, part)


def _view(outcome: Outcome) -> SuccessView | FailureView:
    return FailureView.of(outcome) if isinstance(outcome, Failure) else SuccessView.of(outcome)  # type: ignore[arg-type] # there are two


def _row(outcome: Outcome) -> dict[str, Any]:
    started, ended = outcome.started_at, outcome.ended_at
    row: dict[str, Any] = {
        "index": outcome.index,
        "job_id": outcome.job_id,
        "status": "Completed" if isinstance(outcome, Success) else "Errored",
        "attempts": outcome.attempts,
        "started_at": started,
        "ended_at": ended,
        "seconds": None if started is None else (ended - started).total_seconds(),
    }
    row |= {f"params.{name}": value for name, value in outcome.params.items()}
    if isinstance(outcome, Success):
        row |= _flat("result", outcome.result_json)
    elif isinstance(outcome, Failure):
        row |= {"error.type": outcome.error.type, "error.message": outcome.error.message}
    return row


def _flat(name: str, value: object) -> dict[str, Any]:
    """Return an object as a column for each of its fields, and anything else as one."""
    return (
        {f"{name}.{key}": part for key, part in value.items()}
        if isinstance(value, dict) and value
        else {name: value}
    )


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys([*_COLUMNS, *(name for row in rows for name in row)])
    return {name: [row.get(name) for row in rows] for name in names}


def _series(values: Sequence[Any], pandas: Any) -> Any:  # noqa: ANN401 -- pandas has no types
    """Return a column in which whole numbers stay what they are: floats have 53 bits, and ids often more."""
    series = pandas.Series(values)
    present = [value for value in values if value is not None]
    if series.dtype != "float64" or not any(isinstance(value, int) for value in present):
        return series
    if all(isinstance(value, int) for value in present):
        return pandas.Series(values, dtype="Int64")
    is_exact = all(float(value) == value for value in present)
    return series if is_exact else pandas.Series(values, dtype="object")


def _array(values: Sequence[Any], pyarrow: Any) -> Any:  # noqa: ANN401 -- pyarrow has no types
    if not any(isinstance(value, dict | list) for value in values):
        try:
            return pyarrow.array(values)
        except (pyarrow.ArrowException, OverflowError, TypeError, ValueError):
            pass
    return pyarrow.array([None if value is None else _to_json(value) for value in values], pyarrow.string())


def _to_json(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else json.dumps(value, ensure_ascii=False)
