"""What the substitutions add to what the emulator says."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from background_jobs.core.task_failure import task_failure
from background_jobs.local_stack.substitutions import _TaskWaiter


class ExecutionError(Exception):
    """As the emulator has it: the name of an error, and its cause."""


def test_a_container_that_could_not_load_its_jobs_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    # given a container that has ended before its first event
    log = tmp_path / "job.log"
    log.write_text("".join(f"line {n}\n" for n in range(20)) + "SyntaxError: invalid syntax\n")
    task = {
        "taskArn": "task/1",
        "lastStatus": "STOPPED",
        "stoppedReason": "Essential container in task exited",
        "containers": [{"name": "job", "exitCode": 1}],
        "_docker_ids": ["one"],
    }
    ecs = SimpleNamespace(
        _tasks={"task/1": task},
        _describe_tasks=lambda _: (200, {}, json.dumps({"tasks": [task]})),
    )
    runner = SimpleNamespace(containers={"one": SimpleNamespace(log=log)})
    waiter = _TaskWaiter(ecs, SimpleNamespace(_ExecutionError=ExecutionError), runner)  # type: ignore[arg-type]
    # when it has failed
    with pytest.raises(ExecutionError) as failed:
        waiter.wait_until_stopped("cluster", ["task/1"])
    # then the error of its instances says where to look, and what is there
    message = task_failure(*failed.value.args).message
    assert "exit code 1" in message
    assert str(log) in message
    assert "SyntaxError: invalid syntax" in message
    assert "line 3\n" not in message
