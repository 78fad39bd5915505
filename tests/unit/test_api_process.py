"""The progress API of an offline stack starts with the first who connects, and not while the stack ends."""

import os
import socket
from pathlib import Path

import pytest

from background_jobs.local_stack.api_process import ApiProcess


def connect_first(api: ApiProcess, log: Path) -> tuple[str, int]:
    """Be the first who connects, and return the address."""
    listener = socket.create_server(("127.0.0.1", 0))
    address: tuple[str, int] = listener.getsockname()
    with socket.create_connection(address):
        api.start_when_asked(listener, os.environ, log)
    return address


def test_who_connects_starts_it(tmp_path: Path) -> None:
    api = ApiProcess()
    connect_first(api, tmp_path / "api.log")
    assert api.process is not None
    api.process.kill()
    api.process.wait()


def test_who_connects_while_the_stack_ends_starts_nothing_that_would_outlive_it(tmp_path: Path) -> None:
    # given a stack that is about to end its processes
    api = ApiProcess()
    api.refuse()
    # when somebody connects for the first time
    address = connect_first(api, tmp_path / "api.log")
    # then no process is started, and nobody waits for an answer
    assert api.process is None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
