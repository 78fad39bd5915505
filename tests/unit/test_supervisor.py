"""Which instance the outer process of a container records for the end of the inner one."""

import json
import os
import threading
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from background_jobs.core.blocks import Block, InstanceRange
from background_jobs.core.ownership import RangeLost
from background_jobs.worker import supervisor
from background_jobs.worker.current_attempt import CurrentAttempt, SharedCurrentAttempt
from background_jobs.worker.supervisor import OWN_FAILURE, SHARE_LOST, Blame, supervise


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


@pytest.mark.parametrize("status", [0, 9, OWN_FAILURE, SHARE_LOST])
def test_a_job_that_ends_its_process_is_blamed_for_it_whatever_the_status(
    tmp_path: Path, status: int
) -> None:
    """A job that exits with 0 has returned no result all the same."""
    blamed = tmp_path / "blamed"

    def work(current_attempt: SharedCurrentAttempt, blame: Blame | None) -> int:
        if blame is not None:
            blamed.write_text(json.dumps(asdict(blame)))
            return 0
        current_attempt.publish(CurrentAttempt(7, 1, deadline=float("inf"), launch=3))
        os._exit(status)

    assert supervise(work) == 0
    assert Blame(**json.loads(blamed.read_text())) == Blame(
        7, 1, f"exit code {status}", timed_out=False, launch=3
    )


RANGE = InstanceRange("billing", "0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11", 0, 9)


def test_a_process_whose_share_belongs_to_another_launch_ends_the_container_and_nobody_is_blamed(
    tmp_path: Path,
) -> None:
    processes = tmp_path / "processes"

    def work(current_attempt: SharedCurrentAttempt, _blame: Blame | None) -> int:
        with processes.open("a") as file:
            file.write("one\n")
        # a report of progress finds the range lost, in the midst of an attempt
        current_attempt.publish(CurrentAttempt(7, 1, deadline=float("inf")))
        raise RangeLost(RANGE, Block(RANGE, 3, 1, "launch 1"))

    assert supervise(work) == SHARE_LOST
    assert processes.read_text() == "one\n"


def test_a_job_that_goes_on_after_its_share_was_lost_is_stopped_by_force() -> None:
    def work(current_attempt: SharedCurrentAttempt, blame: Blame | None) -> int:
        assert blame is None
        current_attempt.publish(CurrentAttempt(7, 1, deadline=float("inf")))
        threading.Timer(0.1, current_attempt.announce_end, [SHARE_LOST]).start()
        time.sleep(600)
        return 0

    assert supervise(work) == SHARE_LOST


def test_a_container_whose_process_ends_between_two_attempts_is_not_done() -> None:
    def work(_current_attempt: SharedCurrentAttempt, _blame: Blame | None) -> int:
        os._exit(0)

    assert supervise(work) == OWN_FAILURE
