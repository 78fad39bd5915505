"""A terminal for tests: a command runs on it, and tests read the screen as a person would see it."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyte

_ROWS = 40
_CTRL_C = b"\x03"
# The leader of a new session takes the terminal, so that Ctrl-C sends it a signal.
_TAKE_IT = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"


class Terminal:
    """A command that runs on a terminal of its own, within a `with` block."""

    def __init__(self, *words: str | Path, columns: int = 80) -> None:
        self._screen: Any = pyte.Screen(columns, _ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._drawing = threading.Lock()
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_IT, *words],
            env={**os.environ, "TERM": "xterm-256color"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        """Return the text on the screen, without empty lines."""
        with self._drawing:
            return "\n".join(line.rstrip() for line in self._screen.display if line.strip())

    def hides_cursor(self) -> bool:
        """Tell whether the cursor is hidden."""
        with self._drawing:
            return bool(self._screen.cursor.hidden)

    def colours(self, word: str) -> set[str]:
        """Return the colours in which the last line that has *word* draws it."""
        with self._drawing:
            rows = [row for row, line in enumerate(self._screen.display) if word in line]
            begin = self._screen.display[rows[-1]].index(word)
            return {self._screen.buffer[rows[-1]][begin + n].fg for n in range(len(word))}

    def press_ctrl_c(self) -> None:
        """Interrupt the command as a person at the keyboard does."""
        os.write(self._master, _CTRL_C)

    def status(self, seconds: float = 120) -> int:
        """Wait for the end of the command, and return its exit status."""
        status = self.process.wait(seconds)
        self._reader.join(seconds)
        return status

    def _read(self) -> None:
        while True:
            try:
                written = os.read(self._master, 65_536)
            except OSError:
                return
            if not written:
                return
            with self._drawing:
                self._stream.feed(written)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        os.close(self._master)
