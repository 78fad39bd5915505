"""Several services offline: each has containers of its own jobs, as each has a task definition on AWS."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from background_jobs.local_stack.running_stack import RunningStack
from tests.local_stack.shells import run, shell_variables

JOBS = """
import os
from background_jobs import job_name, run_e11_job

@job_name("{name}")
def work(params):
    return [{name!r}, os.environ["BACKGROUND_JOBS_SERVICE"], __file__.rsplit("/")[-1]]

if __name__ == "__main__":
    run_e11_job([work])
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").touch()
    (project / "one.json").write_text("[{}]")
    for name in ("greet", "bill"):
        (project / f"{name}_jobs.py").write_text(JOBS.format(name=name))
    yield project
    RunningStack.end(project)


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    return shell_variables(tmp_path / "state")


SERVICES = ("--service", "billing-eu=bill_jobs.py", "--service", "default=greet_jobs.py")


def test_each_service_runs_its_own_jobs(folder: Path, variables: dict[str, str]) -> None:
    up = run(folder, variables, "local", "up", *SERVICES)
    assert up.returncode == 0, up.stderr
    assert "default=greet_jobs.py, billing-eu=bill_jobs.py" in up.stderr

    # kick-offs, and stages, go to the service that they name
    def results(*words: str) -> list[object]:
        kicked_off = run(folder, variables, "kick-off", *words)
        assert kicked_off.returncode == 0, kicked_off.stderr
        watched = run(folder, variables, "watch", kicked_off.stdout.strip())
        assert watched.returncode == 0, watched.stderr
        printed = run(folder, variables, "results", kicked_off.stdout.strip(), "--json").stdout
        return [json.loads(line)["result"] for line in printed.splitlines()]

    assert results("greet", "one.json") == [["greet", "default", "greet_jobs.py"]]
    assert results("bill", "one.json", "--service", "billing-eu") == [["bill", "billing-eu", "bill_jobs.py"]]

    # the catalog tells both
    listed = run(folder, variables, "jobs", "--json").stdout.splitlines()
    assert {(job["name"], job["service"]) for job in map(json.loads, listed)} == {
        ("bill", "billing-eu"),
        ("greet", "default"),
    }

    # what a service does not have is refused, and the one that has it named
    refused = run(folder, variables, "kick-off", "bill", "one.json")
    assert refused.returncode == 2
    assert "The service 'billing-eu' has it: name that service." in refused.stderr
    refused = run(folder, variables, "kick-off", "bill", "one.json", "--service", "billing")
    assert refused.returncode == 2
    assert "It has: default, billing-eu." in refused.stderr

    # an edit of one service that cannot be loaded holds up no other
    (folder / "bill_jobs.py").write_text("def broken(:\n")
    refused = run(folder, variables, "kick-off", "bill", "one.json", "--service", "billing-eu")
    assert refused.returncode == 2
    assert "SyntaxError" in refused.stderr
    assert results("greet", "one.json") == [["greet", "default", "greet_jobs.py"]]
    for service in ((), ("--service", "default")):
        assert results("greet", "--param", "n=1", *service) == [["greet", "default", "greet_jobs.py"]]

    # the catalog tells the jobs of the others, and why those are not there
    known = run(folder, variables, "jobs", "--json")
    assert [json.loads(line)["name"] for line in known.stdout.splitlines()] == ["greet"]
    assert "The jobs of service 'billing-eu' cannot be loaded" in known.stderr
    assert "SyntaxError" in known.stderr
    for words in (("jobs", "bill"), ("kick-off", "bill", "--param", "n=1", "--service", "billing-eu")):
        refused = run(folder, variables, *words)
        assert refused.returncode == 2
        assert "SyntaxError" in refused.stderr

    # and the status, too
    status = run(folder, variables, "local", "status")
    assert "job_names\tgreet\n" in status.stdout
    assert "SyntaxError" in status.stderr
    told = json.loads(run(folder, variables, "local", "status", "--json").stdout)
    assert told["job_names"] == ["greet"]
    assert ["SyntaxError" in reason for reason in told["not_loaded"]] == [True]

    # and where the default one is broken, its kick-offs alone are refused
    (folder / "greet_jobs.py").write_text("def broken(:\n")
    (folder / "bill_jobs.py").write_text(JOBS.format(name="bill"))
    refused = run(folder, variables, "kick-off", "greet", "--param", "n=1")
    assert refused.returncode == 2
    assert "The jobs of service 'default' cannot be loaded" in refused.stderr
    billed = results("bill", "--param", "n=1", "--service", "billing-eu")
    assert billed == [["bill", "billing-eu", "bill_jobs.py"]]


def test_a_service_alone_is_the_one_that_counts_where_none_is_named(
    folder: Path, variables: dict[str, str]
) -> None:
    kick_off = (
        "from background_jobs import OrchestrationService\n"
        "print(OrchestrationService().kick_off_job('bill', [{}]).results().successes[0].result)\n"
    )
    (folder / "kick_off.py").write_text(kick_off)
    done = run(
        folder,
        variables,
        *("local", "run", "--service", "billing=bill_jobs.py", "--", "python", "kick_off.py"),
    )
    assert (done.returncode, done.stdout) == (0, "['bill', 'billing', 'bill_jobs.py']\n"), done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--service", "billing=nowhere.py"], "--service billing=nowhere.py: there is no such file"),
        (["--service", "billing"], "billing: write NAME=FILE."),
        (["--service", "Billing=bill_jobs.py"], "lower-case letters, digits and hyphens"),
        (
            ["--service", "billing=bill_jobs.py", "--service", "billing=greet_jobs.py"],
            "billing has two values, bill_jobs.py and greet_jobs.py.",
        ),
        (
            ["--jobs", "bill_jobs.py", "--service", "default=greet_jobs.py"],
            "--jobs bill_jobs.py and --service default=greet_jobs.py are both of the default service",
        ),
        (["--image", "billing:1", "--service", "billing=bill_jobs.py"], "leave out --jobs, --service and"),
    ],
)
def test_services_that_cannot_be_are_refused_by_the_option_that_was_given(
    folder: Path, variables: dict[str, str], words: list[str], message: str
) -> None:
    done = run(folder, variables, "local", "run", *words, "--", "touch", "ran")
    assert done.returncode == 2
    assert message in done.stderr
    assert not (folder / "ran").exists()


def test_jobs_of_a_service_that_cannot_be_loaded_are_refused_by_the_option_that_was_given(
    folder: Path, variables: dict[str, str]
) -> None:
    (folder / "bill_jobs.py").write_text("def broken(:\n")
    done = run(folder, variables, "local", "up", *SERVICES)
    assert done.returncode == 2
    assert "--service billing-eu=bill_jobs.py: it ended with status 1:" in done.stderr
    assert "SyntaxError" in done.stderr
