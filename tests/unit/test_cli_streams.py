"""The standard streams of a command: closed, full, read by `head`, or such that they take ASCII only."""

import errno
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import pytest

from background_jobs.cli.untrusted import printable
from background_jobs.core.errors import NoRoomForParams
from background_jobs.orchestration_service import params_spool
from background_jobs.orchestration_service.params_spool import ParamsSpool

COMMAND: Final = Path(sys.executable).with_name("background-jobs")
PLAN: Final = "plan --instances 100 --seconds 30"


def shell(script: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run *script*, in which `bj` stands for the command."""
    return subprocess.run(
        ["sh", "-c", script.replace("bj", str(COMMAND))],
        env={**os.environ, **variables}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("words", [PLAN, f"{PLAN} --json", "--help"])
def test_a_closed_output_is_no_error(words: str) -> None:
    done = shell(f"bj {words} >&-")
    assert (done.returncode, done.stderr) == (0, "")


def test_errors_without_anywhere_to_say_them_keep_their_status() -> None:
    done = shell("bj plan --instances many --seconds 1 >&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def test_params_of_a_closed_input_are_asked_for_and_not_taken_for_none() -> None:
    rerun = "rerun 0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11 --index 0 --params -"
    for words in ("kick-off halve", "kick-off halve -", rerun):
        done = shell(f"bj {words} <&-", **_SETTINGS)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)
        assert "pipe" in " ".join(done.stderr.split())


@pytest.mark.parametrize("words", [PLAN, f"{PLAN} --json", "--help"])
def test_a_reader_that_has_closed_the_pipe_ends_it_quietly_as_the_signal_would(words: str) -> None:
    # given a pipe that nobody reads any more
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [COMMAND, *words.split()], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_an_output_that_is_full_is_a_failure_with_a_sentence() -> None:
    done = shell(f"bj {PLAN} >/dev/full")
    assert done.returncode == 3
    assert done.stderr == "Error: standard output: No space left on device\n"


def test_an_output_that_takes_ascii_only_gets_plain_characters() -> None:
    variables = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    for words in (PLAN, "kick-off Müll"):
        done = shell(f"bj {words}", **variables)
        assert "Traceback" not in done.stderr
        assert (done.stdout + done.stderr).isascii()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_params_that_the_disk_has_no_room_for_are_refused_with_the_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given a folder for temporary files whose disk is full
    monkeypatch.setattr(params_spool, "_IN_MEMORY", 1_000)
    full: Any = lambda **_: open("/dev/full", "w+b", buffering=0)  # noqa: E731, PTH123, SIM115 -- as it is opened there
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    # then it is named, with what to do
    with (
        ParamsSpool() as spool,
        pytest.raises(NoRoomForParams, match=rf"in {tempfile.gettempdir()}: No space left .* set TMPDIR"),
    ):
        spool.fill([{}] * 1_000, lambda *_: b"x" * 100)


def test_an_error_of_the_callers_iterator_is_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    def params() -> Any:
        yield {}
        raise OSError(errno.EIO, "the caller's disk")

    with ParamsSpool() as spool, pytest.raises(OSError, match="the caller's disk"):
        spool.fill(params(), lambda *_: b"x")


def test_a_long_text_is_made_printable_whatever_is_in_it() -> None:
    assert printable("a\x1b[31mb\x07\n" * 1_000, lines=True) == "ab�\n" * 1_000
    assert io.StringIO(printable("x" * 1_000_000)).read() == "x" * 1_000_000


_SETTINGS: Final = {
    f"BACKGROUND_JOBS_{name}": "x"
    for name in ("ENVIRONMENT", "EVENT_LOG_TABLE", "READ_MODEL_TABLE", "PAYLOAD_BUCKET", "EVENT_BUS")
} | {"AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
