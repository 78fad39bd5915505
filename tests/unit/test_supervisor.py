"""Which instance the outer process of a container records for the end of the inner one."""

import itertools
import json
import os
import signal
import threading
import time
from ast import literal_eval
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest

from background_jobs.core.blocks import Block, InstanceRange
from background_jobs.core.containers.statuses import OUT_OF_MEMORY
from background_jobs.core.ownership import RangeLost
from background_jobs.worker import supervisor
from background_jobs.worker.blame import Blame
from background_jobs.worker.current_attempt import CurrentAttempt, SharedCurrentAttempt
from background_jobs.worker.inner_process import Work, forking
from background_jobs.worker.supervisor import OWN_FAILURE, SHARE_LOST, Predecessor, supervise


def supervise_work(work: Work) -> int:
    return supervise(forking(work))


def write_blame(path: Path, predecessor: Predecessor) -> None:
    (blame,) = predecessor.blames
    path.write_text(json.dumps({"launch": predecessor.launch, **asdict(blame)}))


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
        is_first = not killed.exists()
        killed.touch()
        while is_first and ((running := shared[-1].read()) is None or running.index != 2):
            time.sleep(0.01)
        kill(pid, number)

    monkeypatch.setattr(os, "kill", kill_a_little_later)

    def work(current_attempt: SharedCurrentAttempt, predecessor: Predecessor | None) -> int:
        if predecessor is not None:
            write_blame(blamed, predecessor)
            return 0
        current_attempt.publish(CurrentAttempt(1, 1, deadline=time.monotonic() - 60))
        while not killed.exists():
            time.sleep(0.01)
        current_attempt.publish(CurrentAttempt(2, 1, deadline=float("inf")))
        while True:
            time.sleep(1)

    assert supervise(forking(work), current_attempt) == 0
    blame = json.loads(blamed.read_text())
    assert (blame["index"], blame["attempt"], blame["verdict"]) == (2, 1, "lost")


@pytest.mark.parametrize("status", [0, 9, OWN_FAILURE, SHARE_LOST, 143, 200])
def test_a_job_that_ends_its_process_is_blamed_for_it_whatever_the_status(
    tmp_path: Path, status: int
) -> None:
    """A job that exits with 0 has returned no result all the same."""
    blamed = tmp_path / "blamed"

    def work(current_attempt: SharedCurrentAttempt, predecessor: Predecessor | None) -> int:
        if predecessor is not None:
            write_blame(blamed, predecessor)
            return 0
        current_attempt.begin_launch(3)
        current_attempt.publish(CurrentAttempt(7, 1, deadline=float("inf")))
        os._exit(status)

    assert supervise_work(work) == 0
    blame = Blame(7, 1, f"exit code {status}")
    assert json.loads(blamed.read_text()) == {"launch": 3, **asdict(blame)}


def run_together(current_attempt: SharedCurrentAttempt, *attempts: CurrentAttempt) -> None:
    current_attempt.begin_launch(0, slots=3)
    for slot, attempt in enumerate(attempts):
        current_attempt.publish(attempt, slot)


@pytest.fixture
def blames(tmp_path: Path) -> Callable[[Callable[[SharedCurrentAttempt], object]], list[tuple[int, str]]]:
    """Return what is said of the attempts that ran in a process, which ends as it is told."""

    def blames(end: Callable[[SharedCurrentAttempt], object]) -> list[tuple[int, str]]:
        found = tmp_path / "blames"

        def work(current_attempt: SharedCurrentAttempt, predecessor: Predecessor | None) -> int:
            if predecessor is None:
                end(current_attempt)
                threading.Event().wait()
            found.write_text(repr([(b.index, str(b.verdict)) for b in predecessor.blames]))  # type: ignore[union-attr]
            return 0

        assert supervise_work(work) == 0
        said: list[tuple[int, str]] = literal_eval(found.read_text())
        return said

    return blames


IN_TIME = float("inf")
Blames = Callable[[Callable[[SharedCurrentAttempt], object]], list[tuple[int, str]]]


def test_whoever_ran_at_the_end_of_a_process_is_suspected_and_nobody_is_convicted(blames: Blames) -> None:
    def end(current_attempt: SharedCurrentAttempt) -> None:
        run_together(current_attempt, *(CurrentAttempt(index, 1, IN_TIME) for index in (4, 5, 6)))
        current_attempt.clear(1)
        os._exit(9)

    assert blames(end) == [(4, "suspected"), (6, "suspected")]


def test_who_ran_alone_at_the_end_of_a_process_has_ended_it(blames: Blames) -> None:
    def end(current_attempt: SharedCurrentAttempt) -> None:
        run_together(current_attempt, CurrentAttempt(4, 1, IN_TIME), CurrentAttempt(5, 1, IN_TIME))
        current_attempt.clear(0)
        os._exit(9)

    assert blames(end) == [(5, "lost")]


def test_a_late_attempt_is_stopped_by_force_and_those_beside_it_are_handed_back(blames: Blames) -> None:
    def end(current_attempt: SharedCurrentAttempt) -> None:
        late = CurrentAttempt(5, 1, deadline=time.monotonic() - 60)
        run_together(current_attempt, CurrentAttempt(4, 1, IN_TIME), late, CurrentAttempt(6, 1, IN_TIME))

    assert blames(end) == [(4, "interrupted"), (5, "timed out"), (6, "interrupted")]


def test_where_one_of_several_holds_the_interpreter_nobody_has_timed_out(
    blames: Blames, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is late may only wait for the one that holds it: each runs alone next, and that tells."""
    monkeypatch.setattr(supervisor, "_HELD_SECONDS", 0)

    def end(current_attempt: SharedCurrentAttempt) -> None:
        current_attempt.note_turn()
        late = CurrentAttempt(5, 1, deadline=time.monotonic() - 60)
        run_together(current_attempt, CurrentAttempt(4, 1, IN_TIME), late)

    assert blames(end) == [(4, "suspected"), (5, "suspected")]


def test_those_who_ran_when_our_own_code_failed_are_suspected(blames: Blames) -> None:
    """Each runs alone next, so one with which it fails every time is left out in the end."""

    def end(current_attempt: SharedCurrentAttempt) -> None:
        run_together(current_attempt, CurrentAttempt(4, 1, IN_TIME), CurrentAttempt(5, 1, IN_TIME))
        raise RuntimeError("our own code")

    assert blames(end) == [(4, "suspected"), (5, "suspected")]


@pytest.mark.parametrize("may_grow", [True, False])
def test_a_process_that_was_ended_for_its_memory_ends_the_container_where_another_may_have_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, may_grow: bool
) -> None:
    # given a kernel that tells what it ends
    killed = tmp_path / "killed"
    monkeypatch.setattr(supervisor, "count_memory_kills", lambda: int(killed.exists()))

    def work(current_attempt: SharedCurrentAttempt, predecessor: Predecessor | None) -> int:
        if predecessor is None:
            current_attempt.publish(CurrentAttempt(7, 1, IN_TIME))
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 0

    # when it ends a process, then the container ends, or goes on where more memory is not to be had
    assert supervise(forking(work), may_grow=may_grow) == (OUT_OF_MEMORY if may_grow else 0)


def test_a_process_that_was_killed_for_another_reason_is_replaced() -> None:
    def work(current_attempt: SharedCurrentAttempt, predecessor: Predecessor | None) -> int:
        if predecessor is None:
            current_attempt.publish(CurrentAttempt(7, 1, IN_TIME))
            os.kill(os.getpid(), signal.SIGKILL)
        return 0

    assert supervise(forking(work), may_grow=True) == 0


RANGE = InstanceRange("billing", "0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11", 0, 9)


def test_a_process_whose_share_belongs_to_another_launch_ends_the_container_and_nobody_is_blamed(
    tmp_path: Path,
) -> None:
    processes = tmp_path / "processes"

    def work(current_attempt: SharedCurrentAttempt, _predecessor: Predecessor | None) -> int:
        with processes.open("a") as file:
            file.write("one\n")
        # a report of progress finds the range lost, in the midst of an attempt
        current_attempt.publish(CurrentAttempt(7, 1, deadline=float("inf")))
        raise RangeLost(RANGE, Block(RANGE, 3, 1, "launch 1"))

    assert supervise_work(work) == SHARE_LOST
    assert processes.read_text() == "one\n"


def test_a_job_that_goes_on_after_its_share_was_lost_is_stopped_by_force() -> None:
    def work(current_attempt: SharedCurrentAttempt, predecessor: Predecessor | None) -> int:
        assert predecessor is None
        current_attempt.publish(CurrentAttempt(7, 1, deadline=float("inf")))
        threading.Timer(0.1, current_attempt.announce_end, [SHARE_LOST]).start()
        time.sleep(600)
        return 0

    assert supervise_work(work) == SHARE_LOST


def end_process(_status: int) -> int:
    os._exit(0)


def fail(_status: int) -> int:
    raise RuntimeError("our own code")


@pytest.mark.parametrize("end", [end_process, fail])
def test_a_process_that_ends_between_two_attempts_is_replaced_and_nobody_is_blamed(
    tmp_path: Path, end: Callable[[int], int]
) -> None:
    """A launch is spent only where nothing runs any more."""
    predecessors = tmp_path / "predecessors"

    def work(current_attempt: SharedCurrentAttempt, predecessor: Predecessor | None) -> int:
        with predecessors.open("a") as file:
            file.write(f"{predecessor}\n")
        if predecessor is not None and predecessor.launch == 2:
            return 0
        current_attempt.begin_launch(predecessor.launch + 1 if predecessor else 0)
        current_attempt.publish(CurrentAttempt(7, 1, deadline=float("inf")))
        current_attempt.clear()
        return end(0)

    assert supervise_work(work) == 0
    assert predecessors.read_text().splitlines() == [
        "None",
        *(str(Predecessor(launch)) for launch in range(3)),
    ]


@pytest.mark.parametrize("end", [end_process, fail])
def test_a_container_whose_process_ends_before_an_attempt_began_is_not_done(
    end: Callable[[int], int],
) -> None:
    def work(current_attempt: SharedCurrentAttempt, _predecessor: Predecessor | None) -> int:
        current_attempt.begin_launch(1)
        return end(0)

    assert supervise_work(work) == OWN_FAILURE


def test_a_job_has_almost_all_of_the_two_minutes_of_spot_and_is_stopped_before_ecs_does_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ECS sends SIGTERM, and SIGKILL after the stop timeout of at most 120 s (`stopTimeout` in its API)."""
    # given a job that takes no notice of SIGTERM, on a clock of which each look takes five seconds
    kill, now, signals = os.kill, itertools.count(0, 5), list[tuple[int, int]]()
    at, running = 0, tmp_path / "running"

    def clock() -> int:
        nonlocal at
        if running.exists():
            at = next(now)
            if at == 0:
                kill(os.getpid(), signal.SIGTERM)
        return at

    def recorded(pid: int, number: int) -> None:
        signals.append((number, at))
        kill(pid, number)

    monkeypatch.setattr(supervisor, "time", SimpleNamespace(monotonic=clock))
    monkeypatch.setattr(os, "kill", recorded)

    def work(_current_attempt: SharedCurrentAttempt, _predecessor: Predecessor | None) -> int:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        running.touch()
        threading.Event().wait()
        return 0

    # when SIGTERM comes
    assert supervise_work(work) == supervisor.TERMINATED

    # then it is told at once, and killed just before two minutes are over
    assert signals[0] == (signal.SIGTERM, 0)
    assert signals[1][0] == signal.SIGKILL
    assert 110 <= signals[1][1] < 120
