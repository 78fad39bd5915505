"""`background-jobs local status` and `local list`: which offline stacks are up."""

import json
from typing import Annotated, Any

import typer

from background_jobs.cli.exit_status import ExitStatus
from background_jobs.cli.reporting import (
    on_terminal,
    print_json_text,
    print_line,
    print_note,
    print_row,
    reporting,
)
from background_jobs.cli.untrusted import printable


def list_stacks(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, one object a line, and nothing else.")
    ] = False,
) -> None:
    """List the stacks that are up on this machine, of all projects."""
    with reporting():
        from background_jobs.local_stack.running_stack import find_running

        for stack in find_running():
            facts = {
                "project": str(stack.project),
                "jobs": stack.describe_jobs(),
                "console": f"{stack.api_url}/",
            }
            if as_json:
                print_json_text(json.dumps(facts))
            else:
                print_row(*facts.values())


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")] = False,
) -> None:
    """Tell whether the stack of this project is up, and what it does.

    Exits with 4 if none is.
    """
    with reporting():
        from background_jobs.local_stack.projects import find_project
        from background_jobs.local_stack.running_stack import RunningStack, describe_absence, has_died

        project = find_project()
        stack = RunningStack.find(project)
        if stack is None:
            if as_json:
                absent = {"up": False, "project": str(project), "has_died": has_died(project)}
                print_json_text(json.dumps(absent))
            else:
                print_note(describe_absence(project))
            raise typer.Exit(ExitStatus.FOUND)
        job_names, not_loaded = stack.find_jobs()
    facts: dict[str, Any] = {
        "up": True,
        "project": str(stack.project),
        "endpoint": stack.variables["AWS_ENDPOINT_URL"],
        "console": f"{stack.api_url}/",
        "jobs": stack.describe_jobs(),
        "job_names": job_names,
        "not_loaded": not_loaded,
        "containers": stack.running_containers(),
        "containers_at_most": stack.containers,
        "uptime_seconds": round(stack.uptime_seconds),
        "log_folder": str(stack.folder),
    }
    if as_json:
        print_json_text(json.dumps(facts))
        return
    del facts["not_loaded"]  # texts of several lines
    for name, value in facts.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        if on_terminal():
            print_line(f"{name.replace('_', ' '):<20}{printable(str(shown))}")
        else:
            print_row(name, shown)
    for reason in not_loaded:
        print_note(reason)
