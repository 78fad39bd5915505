"""Commands as a user types them, and the text that an attacker would have them print."""

from unittest.mock import patch

from typer.testing import CliRunner, Result

from background_jobs.cli.main import app

UNKNOWN = "0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11"
EVIL = "\x1b[2J\x1b]0;owned\x07[red]red[/red]\u202e"
HARMLESS = "�[2J�]0;owned�[red]red[/red]�"


def run(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, words, input=stdin)


def run_on_terminal(*words: str, stdin: str | None = None) -> Result:
    """Run a command that takes its output for a terminal of 80 columns, without colours."""
    with patch("background_jobs.cli.reporting.has_terminal", return_value=True):
        return run(*words, stdin=stdin)


def kick_off_halve(*words: str, stdin: str) -> str:
    done = run("kick-off", "halve", "--parallelism", "1", *words, stdin=stdin)
    assert done.exit_code == 0, done.output
    return done.stdout.strip()
