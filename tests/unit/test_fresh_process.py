"""When the jobs' main is run again rather than forked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from background_jobs.worker.fresh_process import receive_handover

ASK = "\nfrom background_jobs.worker import fresh_process\nprint(fresh_process.find_reason_not_to_fork())"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere sockets are not looked for")
@pytest.mark.parametrize(
    ("main", "reason"),
    [
        ("import asyncio, logging, sqlite3", ""),
        ("import socket; connection = socket.socket()", "opened a socket"),
        ("import threading; threading.Timer(600, print).start()", "started a thread"),
    ],
)
def test_a_process_is_forked_unless_what_its_main_did_cannot_be(
    tmp_path: Path, main: str, reason: str
) -> None:
    (tmp_path / "main.py").write_text(f"{main}{ASK}\nimport os, sys\nsys.stdout.flush()\nos._exit(0)")
    done = subprocess.run(
        [sys.executable, str(tmp_path / "main.py")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == reason


def test_what_was_handed_to_another_process_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job may hand its variables to a process of its own."""
    monkeypatch.setenv("BACKGROUND_JOBS_HANDOVER", f'{{"supervisor": {os.getpid()}, "file": 0}}')
    assert receive_handover() is None
    assert "BACKGROUND_JOBS_HANDOVER" not in os.environ
