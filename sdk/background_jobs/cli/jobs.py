"""`background-jobs jobs`: the jobs that can be kicked off, and one of them with its params."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from background_jobs.cli.arguments import AsJsonLines, known_job_names
from background_jobs.cli.reporting import (
    on_terminal,
    out,
    print_fields,
    print_json,
    print_note,
    print_row,
    reporting,
)
from background_jobs.cli.untrusted import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from background_jobs.core.views.jobs import JobView


def jobs(
    job_name: Annotated[
        str | None,
        typer.Argument(metavar="JOB", help="Show this job, with its params.", autocompletion=known_job_names),
    ] = None,
    as_json: AsJsonLines = False,
) -> None:
    """List the jobs that can be kicked off, or show one with its params and defaults."""
    with reporting():
        from background_jobs.orchestration_service import OrchestrationService

        service = OrchestrationService()
        found: Sequence[JobView]
        if job_name is None:
            found = jobs = service.jobs()
            for reason in jobs.not_loaded.values():
                print_note(str(reason))
        else:
            found = [service.job(job_name)]
    if as_json:
        for job in found:
            print_json(job)
    elif job_name is None:
        _print_list(found)
    elif on_terminal():
        _draw_job(found[0])
    else:
        print_fields(found[0])


def _print_list(found: "Sequence[JobView]") -> None:
    if not found:
        print_note("No jobs are known here. Publish them: background-jobs publish-jobs --jobs FILE")
    elif on_terminal():
        _draw_list(found)
    for job in () if on_terminal() else found:
        print_row(job.name, job.service, _params(job), job.description, ", ".join(job.aliases))


def _draw_list(found: "Sequence[JobView]") -> None:
    from background_jobs.cli import drawing

    has_aliases = any(job.aliases for job in found)
    table = drawing.fitting_table(
        ("JOB", *(["ALIASES"] if has_aliases else []), "SERVICE", "PARAMS", "WHAT IT DOES"),
        [
            (
                job.name,
                *([", ".join(job.aliases)] if has_aliases else []),
                job.service or "",
                _params(job),
                job.description,
            )
            for job in found
        ],
        out().width,
        flexible={"JOB": 8, "PARAMS": 12, "WHAT IT DOES": 12},
        droppable=("WHAT IT DOES", "SERVICE", "ALIASES"),
    )
    out().print(table)


def _draw_job(job: "JobView") -> None:
    from background_jobs.cli import drawing

    out().print(drawing.grid([(name, printable(text)) for name, text in _rows_of(job)]))


def _params(job: "JobView") -> str:
    """Return the names of the params, those that may be left out in brackets."""
    schema = job.params_schema or {}
    required = schema.get("required", ())
    return " ".join(name if name in required else f"[{name}]" for name in schema.get("properties", {}))


def _rows_of(job: "JobView") -> Iterator[tuple[str, str]]:
    yield "job", job.name
    if job.aliases:
        yield "aliases", ", ".join(job.aliases)
    if job.service:
        yield "service", job.service
    if job.description:
        yield "does", job.description
    if not job.is_described:
        yield "params", "not known: its image has published nothing (background-jobs publish-jobs)"
        return
    yield "attempts", str(job.retry.max_attempts)
    if job.timeout_seconds is not None:
        yield "timeout", f"{job.timeout_seconds:g} s for an attempt"
    yield "concurrency", f"{job.concurrency} in a container"
    schema = job.params_schema
    if schema is None:
        yield "params", "any object"
        return
    for name, field in schema.get("properties", {}).items():
        yield f"param {name}", _describe(schema, name, field)


def _describe(schema: Mapping[str, Any], name: str, field: Mapping[str, Any]) -> str:
    import json

    from background_jobs.core.params_schema import name_types

    parts = [name_types(schema, name)]
    if values := field.get("enum"):
        parts = [f"one of {', '.join(json.dumps(value) for value in values)}"]
    if name in schema.get("required", ()):
        parts.append("required")
    elif "default" in field:
        parts.append(f"by default {json.dumps(field['default'], ensure_ascii=False)}")
    if about := field.get("description"):
        parts.append(about)
    return "; ".join(parts)
