"""A forked function behaves as the `subprocess.Popen` that the emulator takes it for."""

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from background_jobs.local_stack import function_processes
from background_jobs.local_stack.function_processes import FunctionProcess, FunctionProcesses, can_be_forked

PATIENCE = 60


@pytest.fixture
def process() -> Iterator[FunctionProcess]:
    (stdin, to_it), (from_it, stdout), (errors, stderr) = (os.pipe() for _ in range(3))
    actions = [(os.POSIX_SPAWN_DUP2, own, number) for number, own in enumerate((stdin, stdout, stderr))]
    pid = os.posix_spawnp(
        "sh", ["sh", "-c", "read word; echo $word; exec sleep 600"], os.environ, file_actions=actions
    )
    for descriptor in (stdin, stdout, stderr):
        os.close(descriptor)
    process = FunctionProcess(pid, to_it, from_it, errors)
    yield process
    process.kill()
    process.wait(PATIENCE)
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()


def test_a_line_goes_in_and_a_line_comes_out(process: FunctionProcess) -> None:
    process.stdin.write("caffè\n")
    assert process.stdout.readline() == "caffè\n"


def test_one_that_runs_has_no_exit_code_and_is_not_waited_for_longer_than_asked(
    process: FunctionProcess,
) -> None:
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0)


@pytest.mark.parametrize(
    ("end", "number"), [(FunctionProcess.terminate, signal.SIGTERM), (FunctionProcess.kill, signal.SIGKILL)]
)
def test_one_that_was_ended_says_by_which_signal_however_often_it_is_asked(
    process: FunctionProcess, end: Callable[[FunctionProcess], None], number: int
) -> None:
    end(process)
    assert process.wait(PATIENCE) == -number
    assert process.poll() == -number
    end(process)


@pytest.mark.parametrize(
    ("files", "is_forked"),
    [
        (["code/aggregate_jobs/handler.py", "layer/README"], True),
        (["code/aggregate_jobs/handler.py", "layer/python/pydantic.py"], False),
        (["code/handler.py"], False),
    ],
    ids=["the service's", "with libraries of its own", "of others"],
)
def test_a_function_that_brings_libraries_is_not_forked_from_what_has_loaded_others(
    tmp_path: Path, files: list[str], *, is_forked: bool
) -> None:
    for file in map(tmp_path.joinpath, files):
        file.parent.mkdir(parents=True)
        file.touch()
    variables = {"_LAMBDA_LAYERS_DIRS": str(tmp_path / "layer")}
    assert can_be_forked(str(tmp_path / "code"), variables) == is_forked


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder with the code of the service's functions."""
    (tmp_path / "aggregate_jobs").mkdir()
    (tmp_path / "aggregate_jobs" / "handler.py").touch()
    return tmp_path


def run_one(functions: FunctionProcesses, code: Path) -> str:
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    command = [sys.executable, "-c", "print('started')"]
    process = functions.Popen(command, cwd=str(code), env=dict(os.environ), text=True, **pipes)
    assert isinstance(process, subprocess.Popen)
    with process:
        return process.communicate(timeout=PATIENCE)[0]


def test_functions_start_one_by_one_where_what_forks_them_answers_no_more_or_late(
    code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given what takes requests, and does not answer
    monkeypatch.setattr(function_processes, "_ANSWER_SECONDS", 0.01)
    channel, theirs = socket.socketpair()
    functions = FunctionProcesses(channel)
    with channel, theirs:
        # then a function starts without it
        assert run_one(functions, code) == "started\n"
        # and what it answers late is not taken for the process of another
        with pytest.raises(BrokenPipeError):
            theirs.send(b"1")
        assert run_one(functions, code) == "started\n"


def test_a_function_that_cannot_be_started_for_want_of_descriptors_leaves_none_open(
    code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a process that may open two pipes more
    pipes, pipe = iter(range(2)), os.pipe

    def pipe_if_any() -> tuple[int, int]:
        if next(pipes, None) is None:
            raise OSError(errno.EMFILE, "Too many open files")
        return pipe()

    channel, theirs = socket.socketpair()
    with channel, theirs:
        functions = FunctionProcesses(channel)
        before = psutil.Process().num_fds()
        monkeypatch.setattr(os, "pipe", pipe_if_any)
        # when a function is to be started
        with pytest.raises(OSError, match="Too many open files"):
            run_one(functions, code)
        # then nothing is left open
        assert psutil.Process().num_fds() == before
