"""The command under `background-jobs local run`, whose stack dies."""

import threading
from typing import Any

import pytest

from background_jobs.cli.local_command import run_with


class DyingStack:
    """A stack that has died, of whose process the system tells the end a moment later."""

    stack_id = "a-stack"
    stopping = False

    def __init__(self) -> None:
        self._told = threading.Event()
        threading.Timer(0.3, self._told.set).start()

    def process_variables(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin"}

    @property
    def has_ended(self) -> bool:
        return self._told.is_set()

    def wait(self) -> int:
        self._told.wait()
        return -9


def test_a_command_that_the_watchdog_ended_first_is_told_of_the_end_of_its_stack(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stack: Any = DyingStack()
    # when the watchdog ends the command before the end of the stack can be told
    status = run_with(["sh", "-c", "kill -TERM $$"], stack)
    # then it is waited for
    assert status == 143
    assert "The offline stack ended by itself, with status -9" in capsys.readouterr().err
