"""`background-jobs doctor`: what is wrong with an environment, and what to do about it."""

from itertools import groupby
from typing import TYPE_CHECKING, Final

import typer

from background_jobs.cli.arguments import AsJsonLines
from background_jobs.cli.exit_status import ExitStatus
from background_jobs.cli.reporting import on_terminal, print_json, print_line, print_row, reporting
from background_jobs.cli.untrusted import printable

if TYPE_CHECKING:
    from background_jobs.core.doctor.findings import Finding

_MARKS: Final = {"ok": "✓", "warning": "!", "problem": "✗", "unknown": "?", "not here": "-"}


def doctor(as_json: AsJsonLines = False) -> None:
    """Tell what is wrong with an environment, and what to do about it.

    It asks AWS about everything that the settings and the stack name, and changes nothing. What your
    credentials may not ask is unknown. The exit status is 4 if there is a problem.
    """
    with reporting():
        from background_jobs.control_plane.doctor import examine
        from background_jobs.core.doctor.findings import Level, count_findings
        from background_jobs.settings import Settings

        findings, is_read_by_people = [], on_terminal() and not as_json
        for area, of_area in groupby(examine(Settings.from_env()), key=lambda finding: finding.area):
            if is_read_by_people:
                print_line(area)
            for finding in of_area:
                findings.append(finding)
                if as_json:
                    print_json(finding)
                elif is_read_by_people:
                    _print(finding)
                else:
                    print_row(finding.area, finding.level, finding.sentence, finding.next_step)
    if is_read_by_people:
        print_line(count_findings(findings))
    if any(finding.level is Level.PROBLEM for finding in findings):
        raise typer.Exit(ExitStatus.FOUND)


def _print(finding: "Finding") -> None:
    print_line(f"  {_MARKS[finding.level]} {printable(finding.sentence)}")
    if finding.next_step:
        print_line(f"    → {printable(finding.next_step)}")
