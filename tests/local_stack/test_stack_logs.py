"""`background-jobs local logs`: what the stack, its functions and its containers wrote, in one place."""

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest

from background_jobs.local_stack.running_stack import RunningStack
from background_jobs.local_stack.stack_logs import StackLogs
from tests.local_stack.shells import run, shell_variables
from tests.offline import until

JOBS = """
from background_jobs import job_name, run_e11_job

print("loading the jobs of {name}", flush=True)

@job_name("{name}")
def work(params):
    print("working on {name}", params["n"], flush=True)

if __name__ == "__main__":
    run_e11_job([work])
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").touch()
    for name in ("greet", "bill"):
        (project / f"{name}.py").write_text(JOBS.format(name=name))
    yield project
    RunningStack.end(project)


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    return shell_variables(tmp_path / "state")


def logged(folder: Path, variables: dict[str, str], *words: str) -> list[dict[str, object]]:
    printed = run(folder, variables, "local", "logs", "--json", *words)
    assert printed.returncode == 0, printed.stderr
    return [json.loads(line) for line in printed.stdout.splitlines()]


def test_the_logs_of_all_parts_are_merged_by_time(folder: Path, variables: dict[str, str]) -> None:
    # given jobs of two services that have run, and a function that failed
    run(folder, variables, "local", "up", "--service", "default=greet.py", "--service", "billing=bill.py")
    for words in (("greet",), ("bill", "--service", "billing")):
        kicked_off = run(folder, variables, "kick-off", *words, "--param", "n=7").stdout.strip()
        assert run(folder, variables, "watch", kicked_off).returncode == 0
    stack = RunningStack.find(folder)
    assert stack is not None
    fail_function(stack)

    # then each line says when it was written, and what wrote it
    lines = until(lambda: lines_with_function(folder, variables))
    assert [line["at"] for line in lines] == sorted(str(line["at"]) for line in lines)
    found = {(line["part"], line["service"], line["message"]): line for line in lines}
    assert ("loading", "default", "loading the jobs of greet") in found
    assert found["container", "default", "working on greet 7"]["index"] == 0
    assert ("container", "billing", "working on bill 7") in found
    assert {line["name"] for line in lines if line["part"] == "function"} == {"KickOffJob"}
    assert any("ValidationError" in str(line["message"]) for line in lines if line["part"] == "function")
    assert not any("START RequestId" in str(line["message"]) for line in lines)

    # and those of a service can be had alone
    alone = logged(folder, variables, "--service", "billing")
    assert {line["service"] for line in alone} == {"billing"}
    assert "working on bill 7" in {line["message"] for line in alone}

    # and a service that is not there is told of
    refused = run(folder, variables, "local", "logs", "--service", "nope")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"The offline stack of {folder} has no service 'nope'. It has: default, billing." in refused.stderr

    # and for people they are a row each
    rows = run(folder, variables, "local", "logs").stdout.splitlines()
    (row,) = [row for row in rows if "working on bill 7" in row]
    at, origin, text = row.split("\t")
    assert at.endswith("Z")
    assert origin.startswith("billing ministack-ecs-")
    assert (origin.endswith("[0]"), text) == (True, "working on bill 7")


def lines_with_function(folder: Path, variables: dict[str, str]) -> list[dict[str, object]]:
    lines = logged(folder, variables)
    return lines if any(line["part"] == "function" for line in lines) else []


def fail_function(stack: RunningStack) -> None:
    """Invoke a function with what is no invocation."""
    functions = boto3.client(
        "lambda",
        endpoint_url=stack.variables["AWS_ENDPOINT_URL"],
        region_name=stack.variables["AWS_REGION"],
        aws_access_key_id=stack.variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=stack.variables["AWS_SECRET_ACCESS_KEY"],
    )
    names = [function["FunctionName"] for function in functions.list_functions()["Functions"]]
    (name,) = [name for name in names if "KickOffJob" in name]
    functions.invoke(FunctionName=name, Payload=b'{"nothing": "of that"}')


def test_logs_are_followed_until_the_stack_ends(folder: Path, variables: dict[str, str]) -> None:
    run(folder, variables, "local", "up", "--jobs", "greet.py")
    with (folder / "followed").open("w") as output:
        follower = subprocess.Popen(
            ["background-jobs", "local", "logs", "-f"], cwd=folder, env=variables, stdout=output
        )
    until(lambda: "loading the jobs" in (folder / "followed").read_text())
    run(folder, variables, "kick-off", "greet", "--param", "n=8")
    until(lambda: "working on greet 8" in (folder / "followed").read_text())
    run(folder, variables, "local", "down")
    assert follower.wait(60) == 0


def test_the_logs_of_a_stack_that_died_are_there_until_the_next_one(
    folder: Path, variables: dict[str, str]
) -> None:
    absent = run(folder, variables, "local", "logs")
    assert (absent.returncode, absent.stdout) == (4, "")
    assert f"No offline stack is up for {folder}." in absent.stderr

    run(folder, variables, "local", "up", "--jobs", "greet.py")
    stack = RunningStack.find(folder)
    assert stack is not None
    os.kill(stack.pid, 9)
    until(lambda: RunningStack.find(folder) is None)

    status = run(folder, variables, "local", "status")
    died = "the one that was has died, and `background-jobs local logs` shows what it wrote"
    assert (status.returncode, died in status.stderr) == (4, True)
    told = json.loads(run(folder, variables, "local", "status", "--json").stdout)
    assert told == {"up": False, "project": str(folder), "has_died": True}
    refused = run(folder, variables, "local", "logs", "--service", "billing")
    assert (refused.returncode, "It has: default." in refused.stderr) == (2, True)
    assert "loading the jobs of greet" in run(folder, variables, "local", "logs").stdout
    assert "loading the jobs of greet" in run(folder, variables, "local", "logs", "-f").stdout

    run(folder, variables, "local", "down")
    told = json.loads(run(folder, variables, "local", "status", "--json").stdout)
    assert told == {"up": False, "project": str(folder), "has_died": False}
    assert "has died" not in run(folder, variables, "local", "status").stderr


def test_the_lines_of_a_stack_have_the_same_times_wherever_they_are_read(
    folder: Path, variables: dict[str, str]
) -> None:
    # given a stack that was brought up in another time zone than its logs are read in
    begun = datetime.now(UTC)
    run(folder, variables | {"TZ": "Pacific/Marquesas"}, "local", "up", "--jobs", "greet.py")

    # then its own lines were written between then and now
    lines = [line for line in logged(folder, variables) if line["part"] == "stack"]
    warnings = [line for line in lines if str(line["message"]).startswith("WARNING ")]
    assert warnings, lines
    for line in warnings:
        assert begun <= datetime.fromisoformat(str(line["at"])) <= datetime.now(UTC), line


def test_lines_have_their_own_times_and_stay_whole_whatever_is_printed(tmp_path: Path) -> None:
    """A line without a time at the beginning lifted all others to the time at which the file was looked at."""
    container = tmp_path / "default" / "ministack-ecs-1-job.log"
    container.parent.mkdir()
    records = [
        {
            "timestamp": f"2026-11-24T09:30:0{second}+00:00",
            "level": "INFO",
            "logger": "stdout",
            "message": f"tick {second}\u2028of\x85a clock",
            "orchestration_id": "o",
            "index": second,
        }
        for second in (1, 3)
    ]
    ticks = "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records)
    container.write_text(f"loading\n{ticks}done\n")
    lines = StackLogs(tmp_path).read()
    assert [(line.at.second, line.message, line.index) for line in lines] == [
        (1, "loading", None),
        (1, "tick 1\u2028of\x85a clock", 1),
        (3, "tick 3\u2028of\x85a clock", 3),
        (3, "done", None),
    ]
