"""Jobs that are added or edited while the stack is up are those of the next orchestration."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from background_jobs.local_stack.running_stack import RunningStack
from tests.local_stack.shells import exported, run, shell_variables
from tests.offline import until

RULES = "RULE = {rule!r}\n"
JOBS = """
import pathlib
import time

from background_jobs import job_name, run_e11_job
from pydantic import BaseModel

import rules


class Customer(BaseModel):
    name: str


@job_name("greet")
def greet(params: Customer):
    return rules.RULE + " " + params.name


@job_name("hold")
def hold(params):
    pathlib.Path("held").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.02)
    return rules.RULE


if __name__ == "__main__":
    run_e11_job([greet, hold])
"""
ADDED = JOBS.replace(
    "if __name__ ==",
    '@job_name("shout")\ndef shout(params):\n    return rules.RULE.upper()\n\n\nif __name__ ==',
).replace("[greet, hold]", "[greet, hold, shout]")


class Project:
    """A project whose stack is up, and a shell that has its variables of when it was started."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder = folder
        (folder / "pyproject.toml").touch()
        (folder / "one.json").write_text("[{}]")
        self.write("hello")
        up = run(folder, variables, "local", "up", "--jobs", "jobs.py", "--containers", "2")
        assert up.returncode == 0, up.stderr
        self.shell = exported(up.stdout, variables)

    def write(self, rule: str, jobs: str = JOBS) -> None:
        (self.folder / "rules.py").write_text(RULES.format(rule=rule))
        (self.folder / "jobs.py").write_text(jobs)

    def result_of(self, job: str, *params: str) -> object:
        """Kick off a job with one instance, and return its result."""
        words = [word for param in params for word in ("--param", param)] or ["one.json"]
        kicked_off = run(self.folder, self.shell, "kick-off", job, *words)
        assert kicked_off.returncode == 0, kicked_off.stderr
        return self.result(kicked_off.stdout.strip())

    def result(self, orchestration_id: str) -> object:
        watched = run(self.folder, self.shell, "watch", orchestration_id)
        assert watched.returncode == 0, watched.stdout + watched.stderr
        return json.loads(run(self.folder, self.shell, "results", orchestration_id, "--json").stdout)[
            "result"
        ]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "project").mkdir()
    yield Project(tmp_path / "project", shell_variables(tmp_path / "state"))
    RunningStack.end(tmp_path / "project")


def test_an_edited_module_and_an_added_job_are_those_of_the_next_orchestration(project: Project) -> None:
    assert project.result_of("greet", "name=Ada") == "hello Ada"

    # when a module that the jobs import is edited, and a job is added
    project.write("welcome", ADDED.replace("name: str", "name: str\n    title: str"))

    # then the next orchestrations run those, from a shell that has the variables of before
    assert project.result_of("shout") == "WELCOME"
    assert project.result_of("greet", "name=Ada", "title=Dr") == "welcome Ada"

    # and the new schema holds at once
    refused = run(project.folder, project.shell, "kick-off", "greet", "--param", "name=Ada")
    assert refused.returncode == 2
    assert "title" in refused.stderr
    listed = run(project.folder, project.shell, "jobs", "--json").stdout.splitlines()
    assert [json.loads(line)["name"] for line in listed] == ["greet", "hold", "shout"]

    # and a job that was taken out is there no more
    project.write("welcome")
    gone = run(project.folder, project.shell, "kick-off", "shout", "one.json")
    assert gone.returncode == 2
    assert "There is no job named 'shout'. This service has: 'greet', 'hold'." in gone.stderr


def test_a_file_that_cannot_be_loaded_refuses_kick_offs_until_it_is_mended_and_what_runs_goes_on(
    project: Project,
) -> None:
    # given an instance at work
    running = run(project.folder, project.shell, "kick-off", "hold", "one.json").stdout.strip()
    until((project.folder / "held").exists)

    # when the file is broken
    project.write("broken", JOBS + "\ndef broken(:\n")

    # then a kick-off is refused with the end of the traceback
    refused = run(project.folder, project.shell, "kick-off", "greet", "--param", "name=Ada")
    assert refused.returncode == 2
    assert "def broken(:" in refused.stderr
    assert "SyntaxError" in refused.stderr
    assert "Traceback (most recent call last)" not in refused.stdout

    # and what runs goes on with the old code
    (project.folder / "go").touch()
    assert project.result(running) == "hello"

    # and the next edit mends it
    project.write("mended")
    assert project.result_of("greet", "name=Ada") == "mended Ada"
