"""Completion in the shell, and how little it loads."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from background_jobs.cli.main import app


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("kick-off ", ["halve", "other"]),
        ("kick-off ha", ["halve"]),
        ("list --job o", ["other"]),
        ("list --status E", ["Errored"]),
        ("rerun --only ", ["failed", "unrepaired", "completed", "all"]),
        ("kick-off halve --then ot", ["other"]),
        ("kick-off halve --on-failure ", ["stop", "continue"]),
        ("show ", []),
        ("re", ["results", "report", "rerun", "rebuild", "redrive"]),
    ],
)
def test_completion_knows_commands_choices_and_the_jobs_in_the_settings(
    words: str, completed: list[str]
) -> None:
    line = f"background-jobs {words}"
    environment = {
        "_BACKGROUND_JOBS_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    answer = CliRunner().invoke(app, env=environment, prog_name="background-jobs")
    assert answer.stdout.split() == completed


def test_completion_is_silent_where_there_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BACKGROUND_JOBS_ENVIRONMENT")
    environment = {
        "_BACKGROUND_JOBS_COMPLETE": "complete_bash",
        "COMP_WORDS": "background-jobs kick-off ",
        "COMP_CWORD": "2",
    }
    answer = CliRunner().invoke(app, env=environment, prog_name="background-jobs")
    assert answer.output.strip() == ""


def test_help_and_completion_load_neither_the_client_of_aws_nor_the_models() -> None:
    look = "import sys, background_jobs.cli.main; print(*{'boto3', 'pydantic', 'rich', 'croniter'} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []
