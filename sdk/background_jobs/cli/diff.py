"""`background-jobs diff`: a rerun, or a second run, beside the first one."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from background_jobs.cli.arguments import AsJson, OrchestrationId, parse_id
from background_jobs.cli.reporting import on_terminal, out, print_fields, print_json, print_note, reporting
from background_jobs.cli.times import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType
    from rich.text import Text

    from background_jobs.core.views.comparison import CauseChange, Comparison

_ROWS: Final = 20
"""How many instances a terminal shows."""
_STYLES: Final = {"new": "red", "gone": "green", "same": "dim"}


def diff(
    orchestration_id: OrchestrationId,
    other_id: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="The one to compare it with: its rerun, or another run.",
            show_default=False,
            parser=parse_id,
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Compare two orchestrations: counts, durations, causes, and instances.

    A rerun is compared with what it runs again, instance by instance, whatever their indices.
    """
    with reporting():
        from background_jobs.orchestration_service import OrchestrationService

        comparison = OrchestrationService().orchestration(other_id).compare(orchestration_id)
    if as_json:
        print_json(comparison)
    elif not on_terminal():
        print_fields(comparison)
    else:
        for section in _draw_sections(comparison, out().width):
            out().print(section)
            out().print()
        if comparison.changed_count > _ROWS:
            print_note(f"{_ROWS} of {comparison.changed_count:,} instances are shown; --json has more.")


def _draw_sections(comparison: "Comparison", width: int) -> "Iterator[RenderableType]":
    from rich.text import Text

    from background_jobs.cli import drawing
    from background_jobs.cli.untrusted import printable

    views = (comparison.before, comparison.after)
    short = drawing.short_ids([view.orchestration_id for view in views])
    yield drawing.fitting_table(
        ("", *(short[view.orchestration_id] for view in views)),
        _list_facts(comparison),
        width,
        flexible={},
    )
    if causes := _list_causes(comparison):
        yield drawing.fitting_table(
            ("", "BEFORE", "AFTER", "CAUSE"),
            [
                (
                    Text(change, _STYLES[change]),
                    f"{cause.before:,}",
                    f"{cause.after:,}",
                    printable(f"{cause.type}: {cause.message}"),
                )
                for change, cause in causes
            ],
            width,
            flexible={"CAUSE": 16},
        )
    count = f"{comparison.changed_count:,} of {comparison.in_both:,} instances of both"
    yield Text(
        f"{count} have another status now."
        if comparison.changed_count
        else f"None of the {comparison.in_both:,} instances of both has another status."
    )
    if comparison.changed:
        yield drawing.fitting_table(
            ("INDEX", "BEFORE", "AFTER"),
            [
                (
                    f"{one.index}" if one.index == one.later_index else f"{one.index}, now {one.later_index}",
                    one.before,
                    one.after,
                )
                for one in comparison.changed[:_ROWS]
            ],
            width,
            flexible={},
        )


def _list_causes(comparison: "Comparison") -> "list[tuple[str, CauseChange]]":
    """Return each cause, with whether it is new, gone or the same."""
    return [(name, cause) for name in _STYLES for cause in getattr(comparison, name)]


def _list_facts(comparison: "Comparison") -> "list[tuple[str | Text, ...]]":
    from background_jobs.cli import drawing

    views = (comparison.before, comparison.after)
    return [
        ("job", *(drawing.one_line(view.job_name) for view in views)),
        ("status", *(view.status for view in views)),
        ("instances", *(f"{view.total:,}" for view in views)),
        ("completed", *(f"{view.counts.completed:,}" for view in views)),
        ("errored", *(f"{view.counts.errored:,}" for view in views)),
        ("took", *("" if view.seconds is None else format_duration(view.seconds) for view in views)),
    ]
