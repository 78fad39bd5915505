"""Variables of a team's own in the containers of an offline stack: `--env`, `--env-file`, `env=`."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from background_jobs.local_stack import InvalidLocalStack, LocalStack
from background_jobs.local_stack.job_variables import digest
from background_jobs.local_stack.processes import find_processes
from background_jobs.local_stack.projects import find_project
from background_jobs.local_stack.running_stack import RunningStack
from background_jobs.local_stack.stack_notes import note_path
from tests.local_stack.shells import run, shell_variables

JOBS = """
import os
from background_jobs import job_name, run_e11_job

AT_LOAD = os.environ["DATABASE_URL"]

@job_name("look")
def look(params: dict[str, str]) -> list[str | None]:
    return [AT_LOAD, *(os.environ.get(name) for name in ("DATABASE_URL", "GREETING", "API_KEY", "AWS_PROFILE"))]

if __name__ == "__main__":
    run_e11_job([look])
"""
ENV_FILE = """
# how a team keeps them
export DATABASE_URL="postgres://db/#1"
GREETING='good "morning"'
AWS_PROFILE=prod
"""
SECRET = "s3cr3t=\n2nd line"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "billing"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    (folder / "jobs.py").write_text(JOBS)
    (folder / ".env").write_text(ENV_FILE)
    yield folder
    run(folder, shell_variables(tmp_path), "local", "down")


def test_containers_have_the_variables_of_a_file_and_of_options_and_nobody_else_reads_them(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a secret in the shell, and others in a file that also names a profile of AWS
    shell = shell_variables(tmp_path) | {"API_KEY": SECRET}
    options = ["--env-file", ".env", "--env", "API_KEY", "--env", "GREETING=hello"]
    up = run(project, shell, "local", "up", "--jobs", "jobs.py", *options)
    assert up.returncode == 0, up.stderr
    assert "Left out of .env, as they might lead jobs to an account: AWS_PROFILE." in up.stderr

    # when a job looks at its variables
    (project / "params.jsonl").write_text("{}\n")
    run(project, shell, "kick-off", "look", "params.jsonl", "--watch")
    shown = run(project, shell, "results", "-", "--json")

    # then it has them, at load and later; an option counts before a file
    (line,) = shown.stdout.splitlines()
    url = "postgres://db/#1"
    assert json.loads(line)["result"] == [url, url, "hello", SECRET, None]
    # and neither arguments of processes nor the note of the stack have them
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    noted = note_path(find_project(project))
    stack = RunningStack.read_note(noted)
    assert stack is not None
    words = [
        word for process in find_processes(stack.stack_id) for word in psutil.Process(process.pid).cmdline()
    ]
    assert words
    assert not [word for word in (*words, noted.read_text()) if "s3cr3t" in word or "postgres:" in word]
    assert noted.stat().st_mode & 0o077 == 0

    # when the stack is asked for again, with the same variables and with another value
    again = run(project, shell, "local", "up", *options)
    other = run(project, shell, "local", "up", *options, "--env", "GREETING=bye")

    # then what it does not have is told by its name
    assert again.returncode == 0, again.stderr
    assert other.returncode == 2
    assert "its containers have no GREETING, or with another value" in " ".join(other.stderr.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--env", "=x"], "write NAME=VALUE, or NAME for its value here"),
        (["--env", "NOT_SET_ANYWHERE"], "NOT_SET_ANYWHERE has no value, and is not set here either"),
        (["--env", "1X=3"], "'1X' is no name for a variable"),
        (["--env", "JOB_ID=x"], "JOB_ID is set by the stack"),
        (["--env", "BACKGROUND_JOBS_SERVICE=x"], "BACKGROUND_JOBS_SERVICE is set by the stack"),
        (["--env", "AWS_PROFILE=prod"], "AWS_PROFILE might lead a job to an account"),
        (["--env-file", "none.env"], "none.env: No such file or directory"),
        (["--env-file", "broken.env"], "broken.env, line 2: write NAME=VALUE"),
        (["--env-file", "latin.env"], "latin.env: it is not UTF-8"),
        (["--env", f"LONG={'x' * 40_000}"], "the variables have 40,005 bytes, and 32,768 at most"),
    ],
)
def test_variables_that_containers_cannot_have_are_refused_before_anything_starts(
    project: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    (project / "broken.env").write_text("GOOD=1\n'no closing quote\n")
    (project / "latin.env").write_bytes("NAME=Müller\n".encode("latin-1"))
    done = run(
        project, shell_variables(tmp_path), "local", "run", "--jobs", "jobs.py", *options, "--", "true"
    )
    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"ORCHESTRATION_ID": "mine"}, "ORCHESTRATION_ID is set by the stack"),
        ({"A=B": "mine"}, "'A=B' is no name for a variable"),
        ({"1X": "mine"}, "'1X' is no name for a variable: letters, digits and _ are"),
        ({"NUL": "\0"}, "no process can have the value of NUL"),
        ({"LATIN": "M\udcfcller"}, "LATIN is not UTF-8"),
    ],
)
def test_a_stack_in_code_refuses_them_too(tmp_path: Path, env: dict[str, str], said: str) -> None:
    (tmp_path / "jobs.py").write_text(JOBS)
    with pytest.raises(InvalidLocalStack, match=re.escape(said)):
        LocalStack(str(tmp_path / "jobs.py"), env=env)


def test_values_are_told_apart_that_are_no_utf_8() -> None:
    first, second = (digest("id", {"LATIN": value})["LATIN"] for value in ("M\udcfcller", "M\udcf6ller"))
    assert first != second


def test_a_stack_in_code_takes_variables(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(JOBS)
    with LocalStack(str(tmp_path / "jobs.py"), env={"DATABASE_URL": "db", "API_KEY": SECRET}) as stack:
        orchestration = stack.service().kick_off_job("look", [{}])
        assert orchestration.results(timeout=120).successes[0].result == ["db", "db", None, SECRET, None]


def test_a_main_that_needs_what_only_the_shell_has_is_refused_before_a_container_misses_it(
    project: Path, tmp_path: Path
) -> None:
    shell = shell_variables(tmp_path) | {"DATABASE_URL": "of the shell"}
    done = run(project, shell, "local", "run", "--jobs", "jobs.py", "--", "true")
    assert done.returncode == 2
    assert "KeyError: 'DATABASE_URL'" in done.stderr
