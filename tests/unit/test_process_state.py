"""What an instance does to its process is undone before the next one."""

import contextvars
import decimal
import gc
import io
import locale
import logging
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest

from background_jobs.worker.current_attempt import CurrentAttempt, own_attempt
from background_jobs.worker.printed_lines import PrintedByInstance
from background_jobs.worker.process_state import ProcessState

CUSTOMER: contextvars.ContextVar[str] = contextvars.ContextVar("customer", default="nobody")


def enter_a_folder_and_remove_it() -> None:
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    Path(folder).rmdir()


def change_variables() -> None:
    os.environ["CUSTOMER"] = "acme"
    del os.environ["PATH"]


def change_the_time_zone() -> None:
    os.environ["TZ"] = "UTC+5"
    time.tzset()


def leave_a_signal_that_waits() -> None:
    """It ends the process as soon as it is no longer blocked."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGTERM])
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR2)


def leave_a_profiler() -> None:
    signal.signal(signal.SIGPROF, lambda *_: None)
    signal.setitimer(signal.ITIMER_PROF, 1_000, 1)


def put_a_file_in_the_place_of_standard_output() -> None:
    os.close(1)
    os.open(os.devnull, os.O_WRONLY)


def close_output() -> None:
    sys.stdout.close()


def close_errors() -> None:
    sys.stderr.close()


def read_umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def set_the_precision() -> None:
    decimal.getcontext().prec = 3


Acts = dict[str, tuple[Callable[[], object], Callable[[], object]]]
ACTS: Acts = {
    "working directory": (lambda: os.chdir("/"), os.getcwd),
    "working directory that is gone": (enter_a_folder_and_remove_it, os.getcwd),
    "variables": (change_variables, lambda: sorted(os.environ.items())),
    "variables in another object": (lambda: setattr(os, "environ", {}), lambda: os.environ["PATH"]),
    "time zone": (change_the_time_zone, lambda: time.tzname),
    "handler": (
        lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN),
        lambda: signal.getsignal(signal.SIGUSR1),
    ),
    "children that nobody waits for": (
        lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
        lambda: subprocess.run(["false"], check=False).returncode,
    ),
    "alarm": (lambda: signal.alarm(1_000), lambda: signal.getitimer(signal.ITIMER_REAL)),
    "blocked signals": (
        leave_a_signal_that_waits,
        lambda: (signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.sigpending()),
    ),
    "profiler": (
        leave_a_profiler,
        lambda: (signal.getitimer(signal.ITIMER_PROF), signal.getsignal(signal.SIGPROF)),
    ),
    "standard output that is closed": (close_output, lambda: sys.stdout.closed),
    "standard output that is replaced": (
        lambda: setattr(sys, "stdout", io.StringIO()),
        lambda: type(sys.stdout),
    ),
    "standard error that is closed": (close_errors, lambda: sys.stderr.closed),
    "descriptor of standard output": (
        put_a_file_in_the_place_of_standard_output,
        lambda: (os.fstat(1).st_dev, os.fstat(1).st_ino),
    ),
    "time-out of sockets": (lambda: socket.setdefaulttimeout(1), socket.getdefaulttimeout),
    "umask": (lambda: os.umask(0o777), read_umask),
    "locale": (lambda: locale.setlocale(locale.LC_ALL, "C"), lambda: locale.setlocale(locale.LC_ALL)),
    "folder of temporary files": (
        lambda: setattr(tempfile, "tempdir", "/nowhere"),
        lambda: tempfile.tempdir,
    ),
    "search path": (lambda: sys.path.insert(0, "/nowhere"), lambda: sys.path),
    "search path that is another": (lambda: setattr(sys, "path", []), lambda: sys.path),
    "finders of modules": (sys.meta_path.clear, lambda: len(sys.meta_path)),
    "limit of resources": (
        lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.getrlimit(resource.RLIMIT_FSIZE)[1])),
        lambda: resource.getrlimit(resource.RLIMIT_FSIZE),
    ),
    "profiler of calls": (lambda: sys.setprofile(lambda *_: None), sys.getprofile),
    "arguments": (lambda: sys.argv.append("--verbose"), lambda: sys.argv),
    "warnings": (lambda: warnings.simplefilter("error"), lambda: warnings.filters),
    "disabled log": (
        lambda: logging.disable(logging.CRITICAL),
        lambda: logging.getLogger("job").isEnabledFor(logging.ERROR),
    ),
    "level of the log": (lambda: logging.root.setLevel(5), lambda: logging.root.level),
    "handlers of the log": (
        lambda: logging.basicConfig(force=True),
        lambda: [id(handler) for handler in logging.root.handlers],
    ),
    "collection of garbage": (gc.disable, gc.isenabled),
    "thresholds of garbage": (lambda: gc.set_threshold(0), gc.get_threshold),
    "limit of recursion": (lambda: sys.setrecursionlimit(100_000), sys.getrecursionlimit),
    "limit of digits": (lambda: sys.set_int_max_str_digits(0), sys.get_int_max_str_digits),
    "hook of threads": (
        lambda: setattr(threading, "excepthook", print),
        lambda: id(threading.excepthook),
    ),
    "hook of errors": (lambda: setattr(sys, "excepthook", print), lambda: id(sys.excepthook)),
    "start method": (
        lambda: multiprocessing.set_start_method("spawn", force=True),
        lambda: multiprocessing.get_start_method(allow_none=True),
    ),
    "context variable": (lambda: CUSTOMER.set("acme"), CUSTOMER.get),
    "precision of decimal": (set_the_precision, lambda: decimal.Decimal(1) / 7),
}


@contextmanager
def own_streams_and_timer() -> Iterator[None]:
    """Give this process streams that may be closed and no alarm, for it has those of pytest."""
    before, seconds = (sys.stdout, sys.stderr), signal.setitimer(signal.ITIMER_REAL, 0)[0]
    sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115 -- they are to be closed
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        signal.setitimer(signal.ITIMER_REAL, seconds)


@pytest.mark.parametrize("what", ACTS)
def test_what_an_instance_does_to_its_process_is_undone(what: str) -> None:
    act, observe = ACTS[what]
    with own_streams_and_timer(), ProcessState() as state:
        before = repr(state.run(observe))

        state.run(act)

        assert not state.restore()
        assert repr(state.run(observe)) == before


def described(_stream: str, line: str) -> str:
    return f"[7/1] {line}"


@pytest.mark.parametrize("printed", [nullcontext(), PrintedByInstance(described)], ids=["one", "at once"])
def test_the_log_goes_on_after_an_instance_has_closed_standard_error(
    tmp_path: Path, printed: AbstractContextManager[None]
) -> None:
    # given a log on standard error, which is a file
    saved = os.dup(2)
    with (tmp_path / "log").open("w") as log:
        os.dup2(log.fileno(), 2)
    with own_streams_and_timer():
        handler = logging.StreamHandler(sys.stderr)
        logging.root.addHandler(handler)
        try:
            with printed, ProcessState() as state:
                own = state.new_context()
                own.run(own_attempt.set, CurrentAttempt(7, 1, deadline=0))
                sys.stderr.close()
                assert not state.restore()
                logging.getLogger("job").error("after")
                own.run(sys.stderr.write, "printed\n")
        finally:
            logging.root.removeHandler(handler)
            os.dup2(saved, 2)
            os.close(saved)
    by_instance = "[7/1] " if isinstance(printed, PrintedByInstance) else ""
    assert (tmp_path / "log").read_text().splitlines() == ["after", f"{by_instance}printed"]


def test_what_is_printed_after_the_share_is_written_where_an_instance_has_closed_the_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next share of the process prints there."""
    # given a share that prints into a file
    with (tmp_path / "log").open("w", buffering=1) as file:
        saved = os.dup(1)
        os.dup2(file.fileno(), 1)
        monkeypatch.setattr(sys, "stdout", open(1, "w", buffering=1, closefd=False))  # noqa: SIM115
        # when an instance closes the stream, and the share ends
        with PrintedByInstance(described), ProcessState() as state:
            state.run(sys.stdout.close)
            restored = state.restore()
        sys.stdout.write("the next share\n")
        os.dup2(saved, 1)
        os.close(saved)
    # then
    assert not restored
    assert (tmp_path / "log").read_text() == "the next share\n"


def test_what_the_module_of_the_jobs_set_holds_for_every_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY", "module")
    token = CUSTOMER.set("module")
    with decimal.localcontext(prec=5), ProcessState() as state:
        seen = [state.run(lambda: (str(decimal.Decimal(1) / 7), CUSTOMER.get()))]
        state.run(set_the_precision)
        seen += [state.run(lambda: (str(decimal.Decimal(1) / 7), CUSTOMER.get()))]
        assert not state.restore()
    CUSTOMER.reset(token)
    assert seen == [("0.14286", "module")] * 2
    assert os.environ["REGISTRY"] == "module"


def leave_descriptors() -> list[int]:
    left: list[int] = []
    try:
        while True:
            left.append(os.dup(0))
    except OSError:
        return left


def test_a_process_with_too_many_descriptors_is_to_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Other tests may have left event loops, whose threads go on.
    opened_before = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened_before + 200, limits[1]))
    try:
        with ProcessState() as state:
            left = leave_descriptors()
            reason = state.restore()
            for descriptor in left:
                os.close(descriptor)
            assert "Too many open files" in reason
            left = [os.dup(0) for _ in range(160)]
            assert "descriptors open" in state.restore()
            for descriptor in left:
                os.close(descriptor)
            assert not state.restore()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_process_with_a_limit_that_cannot_be_raised_is_to_be_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the soft limit can, unless the process is one of root's."""

    def refuse(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with ProcessState() as state:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 40, limits[1]))
        with monkeypatch.context() as patched:
            patched.setattr(resource, "setrlimit", refuse)
            assert "maximum limit" in state.restore()
        assert not state.restore()
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == limits
