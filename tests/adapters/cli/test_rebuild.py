"""`background-jobs rebuild`, as docs/first-deployment.md has it answer where an item of the log is removed."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from background_jobs.aws import clients
from background_jobs.core.events.orchestrations import COMPLETED
from background_jobs.settings import Settings
from tests.adapters.cli.commands import run_on_terminal

STEPS: Final = Path(__file__).parents[3] / "docs" / "first-deployment.md"


def lines_of(*words: str) -> tuple[int, list[str]]:
    """Return the exit status and the lines of a command, without the time that is stored."""
    answer = run_on_terminal("rebuild", *words)
    return answer.exit_code, re.sub(r"stored \d.*?, should", "stored …, should", answer.stdout).splitlines()


def test_a_completion_that_is_removed_is_told_and_comes_back(
    done: str, settings: Settings, aggregate: Callable[[], list[Any]]
) -> None:
    # given a completed orchestration, whose completion somebody removes
    assert aggregate() == []
    right = lines_of(done, "--check")
    key: Any = {"pk": {"S": f"default#{done}"}, "sk": {"S": COMPLETED}}
    table = {"TableName": settings.event_log_table, "Key": key}
    removed = clients.dynamodb().get_item(**table)["Item"]
    clients.dynamodb().delete_item(**table)
    # then both commands say what the document shows
    (shown,) = re.findall(r"```\n(log: .*?)```", STEPS.read_text(), flags=re.DOTALL)
    checked = lines_of(done, "--check")
    assert checked == (4, shown.splitlines())
    status, rebuilt = lines_of(done)
    assert (status, rebuilt[:-1]) == (4, checked[1][:-1])
    assert f"`{rebuilt[-1]}`" in STEPS.read_text()
    # and the item is there again, and all is right
    assert clients.dynamodb().get_item(**table)["Item"] == removed
    assert aggregate() == []
    assert lines_of(done, "--check") == right == (0, ["The read model is what the log makes."])
