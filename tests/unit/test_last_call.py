"""A call is the last where nothing but returns follows it; in doubt it is not."""

import subprocess
import sys
from pathlib import Path

import pytest

ASK = """
import sys
from background_jobs.worker.last_call import is_last_call

class Guard:
    __del__ = lambda self: print('after')

def ask():
    print(is_last_call(sys._getframe(1)))

"""
LAST = {
    "call": "ask()",
    "main": "if __name__ == '__main__':\n    ask()",
    "arguments": "ask(*[])",
    "branch": "if sys:\n    ask()\nelse:\n    print('else')",
}
NOT_LAST = {
    "statement": "ask()\nprint('after')",
    "exit": "sys.exit(ask())",
    "assigned": "status = ask()",
    "finally": "try:\n    ask()\nfinally:\n    print('after')",
    "with": "import contextlib\nwith contextlib.suppress(OSError):\n    ask()",
    "loop": "for _ in range(2):\n    ask()",
    "condition": "class Asks:\n    __bool__ = lambda self: ask() or True\nif Asks(): pass\nelse: print('else')",
    "function": "def main():\n    guard = Guard()\n    ask()\nmain()",
    "generator": "def drive():\n    yield ask()\nfor _ in drive(): print('after')",
    "mapped": "list(map(lambda step: step(), [ask, lambda: print('after')]))",
    "exec": "exec('ask()')",
}
SHAPES = [(shape, source, str(source in LAST.values())) for shape, source in {**LAST, **NOT_LAST}.items()]


@pytest.mark.parametrize(
    ("source", "is_last"), [found for _, *found in SHAPES], ids=[shape for shape, *_ in SHAPES]
)
def test_a_call_is_the_last_of_a_script_if_nothing_follows(tmp_path: Path, source: str, is_last: str) -> None:
    assert _run(tmp_path, source, "jobs.py") == is_last


def test_a_module_is_run_by_what_only_returns(tmp_path: Path) -> None:
    assert _run(tmp_path, LAST["main"], "-m", "jobs") == "True"


def test_a_script_that_another_program_runs_has_something_that_follows(tmp_path: Path) -> None:
    assert _run(tmp_path, LAST["main"], "-m", "cProfile", "jobs.py") == "False"


def _run(folder: Path, source: str, *command: str) -> str:
    """Return what is told first by a script that asks whether a call is its last."""
    (folder / "jobs.py").write_text(ASK + source)
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )
    return done.stdout.split()[0]


def test_what_is_still_in_memory_is_written_before_a_process_ends_without_the_interpreters_end(
    tmp_path: Path,
) -> None:
    """A stream that is replaced by what flushes nothing, and what C has printed, are left to the interpreter."""
    (tmp_path / "jobs.py").write_text(
        "import atexit, ctypes, sys, types\n"
        "from background_jobs.worker.inner_process import end_process, flush_libraries\n"
        "printed = sys.stdout\n"
        "sys.stdout = types.SimpleNamespace(write=printed.write, flush=lambda: None)\n"
        "print('of Python')\n"
        "atexit.register(print, 'of a handler')\n"
        "ctypes.CDLL(None).printf(b'of C\\n')\n"
        "flush_libraries()\n"
        "end_process(3)\n"
    )
    done = subprocess.run(
        [sys.executable, "jobs.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=False, timeout=60
    )
    assert (done.returncode, sorted(done.stdout.splitlines())) == (3, ["of C", "of Python", "of a handler"])
