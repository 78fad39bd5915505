"""Which instance the outer process of a container records for the end of the inner one."""

import json
import os
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from background_jobs.worker import supervisor
from background_jobs.worker.current_attempt import CurrentAttempt, SharedCurrentAttempt
from background_jobs.worker.supervisor import Blame, supervise


def test_an_attempt_that_began_while_a_late_one_was_killed_is_not_recorded_as_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a late attempt that ends by itself just before it is killed, and another that has begun
    shared: list[SharedCurrentAttempt] = []
    killed, blamed = tmp_path / "killed", tmp_path / "blamed"
    kill = os.kill

    def current_attempt() -> SharedCurrentAttempt:
        shared.append(SharedCurrentAttempt())
        return shared[-1]

    def kill_a_little_later(pid: int, number: int) -> None:
        killed.touch()
        while (running := shared[-1].read()) is None or running.index != 2:
            time.sleep(0.01)
        kill(pid, number)

    monkeypatch.setattr(supervisor, "SharedCurrentAttempt", current_attempt)
    monkeypatch.setattr(os, "kill", kill_a_little_later)

    def work(current_attempt: SharedCurrentAttempt, blame: Blame | None) -> int:
        if blame is not None:
            blamed.write_text(json.dumps(asdict(blame)))
            return 0
        current_attempt.publish(CurrentAttempt(1, 1, deadline=time.monotonic() - 60))
        while not killed.exists():
            time.sleep(0.01)
        current_attempt.publish(CurrentAttempt(2, 1, deadline=float("inf")))
        while True:
            time.sleep(1)

    assert supervise(work) == 0
    blame = Blame(**json.loads(blamed.read_text()))
    assert (blame.index, blame.attempt, blame.timed_out) == (2, 1, False)


@pytest.mark.parametrize("status", [0, 9])
def test_a_job_that_ends_its_process_is_blamed_for_it_whatever_the_status(
    tmp_path: Path, status: int
) -> None:
    """A job that exits with 0 has returned no result all the same."""
    blamed = tmp_path / "blamed"

    def work(current_attempt: SharedCurrentAttempt, blame: Blame | None) -> int:
        if blame is not None:
            blamed.write_text(json.dumps(asdict(blame)))
            return 0
        current_attempt.publish(CurrentAttempt(7, 1, deadline=float("inf")))
        os._exit(status)

    assert supervise(work) == 0
    assert Blame(**json.loads(blamed.read_text())) == Blame(7, 1, f"exit code {status}", timed_out=False)
