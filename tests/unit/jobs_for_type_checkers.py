"""Jobs whose annotations are text, as with `from __future__ import annotations`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from decimal import Decimal

    from background_jobs.jobs import JobContext


def context_for_type_checkers(params: dict[str, Any], other: JobContext | None = None) -> tuple[bool, bool]:
    return "n" in params, other is not None


def defined_below(params: Below) -> int:
    return params["n"]


def result_for_type_checkers(params: dict[str, int]) -> Decimal | int:
    return params["n"]


def params_for_type_checkers(params: Decimal) -> None: ...


Below = dict[str, int]
