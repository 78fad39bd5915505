"""The processes of an offline stack, and their end."""

import subprocess

import psutil
import pytest

from background_jobs.local_stack import processes


def test_a_process_that_shows_no_variables_for_a_moment_is_ended_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["sleep", "600"]) as sleeping:
        looks = iter([[], [psutil.Process(sleeping.pid)]])
        monkeypatch.setattr(processes, "find_processes", lambda _: next(looks, []))
        try:
            processes.end_all("a stack")
            assert not psutil.pid_exists(sleeping.pid) or sleeping.poll() is not None
        finally:
            sleeping.kill()
