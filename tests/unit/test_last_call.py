"""A call is the last where nothing but returns follows it; in doubt it is not."""

import subprocess
import sys
from pathlib import Path

import pytest

ASK = """
import sys
from background_jobs.worker.last_call import is_last_call

def ask():
    print(is_last_call(sys._getframe(1)))

"""
LAST = {
    "call": "ask()",
    "main": "if __name__ == '__main__':\n    ask()",
    "function": "def main():\n    jobs = []\n    ask()\n\nmain()",
    "returned": "def main():\n    return ask()\nif __name__ == '__main__':\n    main()",
    "branch": "def main():\n    if sys:\n        ask()\n    else:\n        print('else')\nmain()",
}
NOT_LAST = {
    "statement": "ask()\nprint('after')",
    "exit": "sys.exit(ask())",
    "assigned": "status = ask()",
    "finally": "try:\n    ask()\nfinally:\n    print('after')",
    "with": "import contextlib\nwith contextlib.suppress(OSError):\n    ask()",
    "loop": "for _ in range(2):\n    ask()",
    "caller": "def main():\n    ask()\nmain()\nprint('after')",
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
