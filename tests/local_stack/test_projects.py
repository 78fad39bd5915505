"""Each project has an offline stack of its own, which commands in it use, and no other."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from background_jobs.local_stack.projects import find_project
from background_jobs.local_stack.running_stack import RunningStack
from background_jobs.settings import Settings
from tests.local_stack.shells import exported, run, shell_variables
from tests.offline import until

JOBS = """
from background_jobs import job_name, run_e11_job

@job_name("{name}")
def work(params):
    return params["seconds"]

if __name__ == "__main__":
    run_e11_job([work])
"""
LIST = ("list", "--json")


@pytest.fixture
def variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The variables of a shell that knows no stack; stacks are noted in a folder of this test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield shell_variables(tmp_path / "state")
    for folder in (tmp_path / "one", tmp_path / "other"):
        RunningStack.end(folder)


@pytest.fixture
def projects(tmp_path: Path) -> tuple[Path, Path]:
    """Two checkouts of the same project."""
    folders = tmp_path / "one", tmp_path / "other"
    for folder in folders:
        (folder / "src").mkdir(parents=True)
        (folder / "pyproject.toml").touch()
        (folder / "jobs.py").write_text(JOBS.format(name=f"work_{folder.name}"))
    return folders


@pytest.mark.parametrize("mark", ["pyproject.toml", ".git"])
def test_a_project_begins_at_the_nearest_folder_with_a_mark(tmp_path: Path, mark: str) -> None:
    inner = tmp_path / "outer" / "inner"
    (inner / "src" / "team").mkdir(parents=True)
    (tmp_path / "outer" / "pyproject.toml").touch()
    (inner / mark).mkdir()

    assert find_project(inner / "src" / "team") == inner
    assert find_project(tmp_path / "outer") == tmp_path / "outer"


def test_a_folder_without_a_mark_is_a_project_by_itself(tmp_path: Path) -> None:
    assert find_project(tmp_path) == tmp_path


def test_the_home_folder_makes_no_project_of_all_that_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who keep their settings in git have a repository there."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".git").mkdir()
    (tmp_path / "scripts").mkdir()
    assert find_project(tmp_path / "scripts") == tmp_path / "scripts"


def test_commands_use_the_stack_of_their_project_and_no_other(
    projects: tuple[Path, Path], variables: dict[str, str]
) -> None:
    one, other = projects

    # given no stack at all: the error says how to have one
    absent = run(one, variables, *LIST)
    assert absent.returncode == 2
    assert f"No offline stack is up for {one}. " in absent.stderr
    assert "background-jobs local up --jobs FILE" in absent.stderr

    # when one project has a stack, its commands find it, also from a folder in it
    up = run(one / "src", variables, "local", "up", "--jobs", "../jobs.py")
    assert up.returncode == 0, up.stderr
    kicked_off = run(one, variables, "kick-off", "work_one", "--param", "seconds=0")
    assert kicked_off.returncode == 0, kicked_off.stderr
    assert f"Using the offline stack of {one}.\n" in kicked_off.stderr
    inside: tuple[str, ...] = ("local", "run", "--", "background-jobs", *LIST)
    until(lambda: kicked_off.stdout.strip() in run(one / "src", variables, *LIST).stdout)
    assert kicked_off.stdout.strip() in run(one / "src", variables, *inside).stdout

    # then commands of the other one do not, and name it
    commands: tuple[tuple[str, ...], ...] = (LIST, ("kick-off", "work_one", "--param", "seconds=0"), inside)
    for words in commands:
        refused = run(other, variables, *words)
        assert refused.returncode == 2
        assert f"No offline stack is up for {other}. There is one for each of " in refused.stderr
        assert str(one) in refused.stderr

    # nor do they with the variables of that stack
    shell = exported(up.stdout, variables)
    refused = run(other, shell, *LIST)
    assert refused.returncode == 2
    assert f"belong to the offline stack of {one}, and this is the project {other}" in refused.stderr
    assert kicked_off.stdout.strip() in run(one / "src", shell, *LIST).stdout

    # and each has its own once both are up
    run(other, variables, "local", "up", "--jobs", "jobs.py")
    assert json.loads(run(other, variables, *LIST).stdout)["items"] == []
    assert run(other, variables, "local", "down").returncode == 0
    assert kicked_off.stdout.strip() in run(one, variables, *LIST).stdout


def test_a_shell_with_the_variables_of_a_stack_that_has_ended_is_told_so(
    projects: tuple[Path, Path], variables: dict[str, str]
) -> None:
    # given a shell that has the variables of a stack that was taken down
    folder, _ = projects
    up = run(folder, variables, "local", "up", "--jobs", "jobs.py")
    shell = exported(up.stdout, variables)
    run(folder, shell, "local", "down")

    # then commands say how to have one, and how to be rid of the variables
    refused = run(folder, shell, *LIST)
    assert refused.returncode == 2
    assert "The variables of this shell are those of an offline stack that has ended." in refused.stderr
    assert f"No offline stack is up for {folder}." in refused.stderr
    assert 'Bring one up: eval "$(background-jobs local up --jobs FILE)"' in refused.stderr
    assert "endpoint URL" not in refused.stderr
    (unset,) = re.findall(r"or remove them: (unset [A-Z0-9_ ]+)$", refused.stderr, re.MULTILINE)
    rid = exported(unset, shell)
    assert not {name for name in rid if name.startswith("AWS_") or name in Settings.variable_names()}

    # when another one is up, then they say how to take its variables
    run(folder, shell, "local", "up", "--jobs", "jobs.py")
    refused = run(folder, shell, *LIST)
    assert refused.returncode == 2
    own = f'Take those of the one that is up for {folder}: eval "$(background-jobs local up)"'
    assert own in refused.stderr
    again = exported(run(folder, shell, "local", "up").stdout, shell)
    assert run(folder, again, *LIST).returncode == 0
    assert run(folder, rid, *LIST).returncode == 0


def test_help_and_what_needs_no_settings_is_there_without_a_stack(
    projects: tuple[Path, Path], variables: dict[str, str]
) -> None:
    for words in (
        ("kick-off", "--help"),
        ("plan", "--instances", "10", "--seconds", "1"),
        ("schema", "events"),
    ):
        assert run(projects[0], variables, *words).returncode == 0, words


def test_variables_of_a_deployed_stack_count_before_the_stack_of_the_project(
    projects: tuple[Path, Path], variables: dict[str, str]
) -> None:
    run(projects[0], variables, "local", "up", "--jobs", "jobs.py")
    settings = Settings(
        environment="prod", event_log_table="log", read_model_table="model", payload_bucket="payloads"
    )
    away = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    away |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    deployed = variables | settings.to_env() | away
    listed = run(projects[0], deployed, *LIST)
    assert listed.returncode == 3
    assert "http://127.0.0.1:1" in listed.stderr
    assert "Using the offline stack" not in listed.stderr
