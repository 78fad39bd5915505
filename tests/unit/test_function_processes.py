"""A forked function behaves as the `subprocess.Popen` that the emulator takes it for."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from background_jobs.local_stack.function_processes import FunctionProcess, can_be_forked

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
