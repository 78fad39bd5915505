"""Callers at the ends of their processes."""

import subprocess
import sys


def test_a_thread_that_outlives_the_main_one_and_a_handler_at_exit_kick_off_and_read() -> None:
    """Python starts no threads there any more, which uploads and reads would like to have."""
    caller = subprocess.run(
        [sys.executable, "-m", "tests.end_to_end.late_callers"],
        capture_output=True,
        timeout=250,
        check=False,
        text=True,
    )
    assert caller.stdout.splitlines() == ["in a thread 600 None", "at exit 600 None"], caller.stderr
