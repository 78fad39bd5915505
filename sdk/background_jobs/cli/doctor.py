"""`background-jobs doctor`: what is wrong with an environment, and what to do about it."""

from itertools import groupby
from typing import TYPE_CHECKING, Final

import typer

from background_jobs.cli.arguments import AsJsonLines
from background_jobs.cli.reporting import encodable, print_json_line, reporting
from background_jobs.cli.untrusted import printable

if TYPE_CHECKING:
    from background_jobs.core.doctor.findings import Finding

_MARKS: Final = {"ok": "✓", "warning": "!", "problem": "✗", "unknown": "?", "not here": "-"}


def doctor(as_json: AsJsonLines = False) -> None:
    """Tell what is wrong with an environment, and what to do about it.

    It asks AWS about everything that the settings and the stack name, and changes nothing. What your
    credentials may not ask is unknown. The exit status is 1 if there is a problem.
    """
    with reporting():
        from background_jobs.control_plane.doctor import examine
        from background_jobs.core.doctor.findings import Level, count_findings
        from background_jobs.settings import Settings

        findings = []
        for area, of_area in groupby(examine(Settings.from_env()), key=lambda finding: finding.area):
            if not as_json:
                typer.echo(area)
            for finding in of_area:
                findings.append(finding)
                if as_json:
                    print_json_line(finding)
                else:
                    _print(finding)
    if not as_json:
        typer.echo(count_findings(findings))
    if any(finding.level is Level.PROBLEM for finding in findings):
        raise typer.Exit(1)


def _print(finding: "Finding") -> None:
    typer.echo(encodable(f"  {_MARKS[finding.level]} {printable(finding.sentence)}"))
    if finding.next_step:
        typer.echo(encodable(f"    → {printable(finding.next_step)}"))
