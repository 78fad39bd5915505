"""The first interpreter of the state machine: interpret.mjs, which one process of Node runs for all tests."""

import json
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_PATIENCE: Final = 60
"""Seconds that it has for an answer."""


class InterpreterEnded(Exception):
    """The interpreter ended, or was ended because it took too long, in place of an answer."""

    def __init__(self, code: int, errors: str) -> None:
        super().__init__(f"the interpreter ended with {code} (it has {_PATIENCE} s for an answer): {errors}")


class Interpreter:
    """A process of Node that runs one state machine after another; where it ends, the next has another."""

    def __init__(self, script: Path, errors: Path) -> None:
        self._script, self._errors = script, errors
        self._process: subprocess.Popen[str] | None = None

    def run(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return what became of *request*, of which interpret.mjs tells. Raises InterpreterEnded."""
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        limit = threading.Timer(_PATIENCE, process.kill)
        limit.start()
        try:
            process.stdin.write(f"{json.dumps(request)}\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            limit.cancel()
        if not line:
            raise InterpreterEnded(self.end(), self._errors.read_text())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> int:
        """End the process, if there is one, and return how it ended."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.communicate()
        return process.returncode

    def _start(self) -> "subprocess.Popen[str]":
        with self._errors.open("w") as errors:
            return subprocess.Popen(
                ["node", str(self._script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
