"""What a job starts ends with the process of the jobs, and before another one goes on."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from background_jobs.worker.current_attempt import CurrentAttempt, SharedCurrentAttempt
from background_jobs.worker.inner_process import forking
from background_jobs.worker.supervisor import REPLACED, Predecessor, supervise
from tests.offline import is_running, until

DAEMON = "setsid sleep 600 >/dev/null 2>&1 & echo $!"


def start_daemon(file: Path) -> None:
    """Start a process in a session of its own, whose parent ends."""
    file.write_text(subprocess.run(["sh", "-c", DAEMON], capture_output=True, text=True, check=True).stdout)


def pid_in(file: Path) -> int:
    return int(file.read_text())


def test_a_process_in_a_session_of_its_own_ends_with_the_container(tmp_path: Path) -> None:
    def work(_shared: SharedCurrentAttempt, _predecessor: Predecessor | None) -> int:
        start_daemon(tmp_path / "daemon")
        return 0

    assert supervise(forking(work)) == 0
    assert not is_running(pid_in(tmp_path / "daemon"))


@pytest.mark.parametrize("ends", ["killed for its timeout", "by itself"])
def test_what_an_attempt_started_has_ended_before_another_process_goes_on(tmp_path: Path, ends: str) -> None:
    """Two converters would write one file."""
    daemon, found = tmp_path / "daemon", tmp_path / "found"

    def work(shared: SharedCurrentAttempt, predecessor: Predecessor | None) -> int:
        if predecessor is not None:
            found.write_text(str(is_running(pid_in(daemon))))
            return 0
        start_daemon(daemon)
        if ends == "by itself":
            shared.publish(CurrentAttempt(1, 1, deadline=float("inf")))
            os._exit(9)
        shared.publish(CurrentAttempt(1, 1, deadline=time.monotonic() - 60))
        signal.pause()
        return 0

    assert supervise(forking(work)) == 0
    assert found.read_text() == "False"


def test_what_ran_before_the_container_began_is_left_alone() -> None:
    with subprocess.Popen(["sleep", "600"]) as helper:
        assert supervise(forking(lambda *_: 0)) == 0
        assert is_running(helper.pid)
        helper.kill()


def test_orphans_that_end_leave_no_zombies(tmp_path: Path) -> None:
    def is_zombie(process: psutil.Process) -> bool:
        try:
            return process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def zombies() -> list[psutil.Process]:
        return [child for child in psutil.Process(os.getppid()).children() if is_zombie(child)]

    def work(_shared: SharedCurrentAttempt, _predecessor: Predecessor | None) -> int:
        subprocess.run(["sh", "-c", "for n in 1 2 3 4 5 6; do true & done"], check=True)
        until(lambda: not zombies())
        return 0

    assert supervise(forking(work)) == 0


def test_a_library_that_ignores_the_end_of_children_does_not_end_the_container() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert supervise(forking(lambda *_: 0)) == 0
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_process_that_asks_to_be_replaced_is_followed_by_another_that_knows_it(tmp_path: Path) -> None:
    followed = tmp_path / "followed"

    def work(shared: SharedCurrentAttempt, predecessor: Predecessor | None) -> int:
        if predecessor is not None:
            followed.write_text(repr((predecessor.launch, predecessor.blames, predecessor.in_order)))
            return 0
        shared.begin_launch(3)
        shared.publish(CurrentAttempt(7, 1, deadline=float("inf")))
        shared.clear()
        return REPLACED

    assert supervise(forking(work)) == 0
    assert followed.read_text() == repr((3, (), True))
