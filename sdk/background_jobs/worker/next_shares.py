"""How a process that is done with a share gets the next one, where it stays for that."""

import json
import os
import socket
from contextlib import suppress
from typing import Final, NamedTuple, Self

_DONE: Final = b"."


class NextShare(NamedTuple):
    """A share, as the process that works on it finds it."""

    variables: dict[str, str]
    """All variables of that process: those that its main has left, and those of the share."""
    log: str = ""
    """The file that its output goes to; empty where that stays what it is."""

    def take(self) -> None:
        """Give this process the variables and the output of the share."""
        for name in os.environ.keys() - self.variables.keys():
            del os.environ[name]
        os.environ.update(self.variables)
        if self.log:
            output = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            for descriptor in (1, 2):
                os.dup2(output, descriptor)
            os.close(output)


class ShareLink:
    """Connects a process with a child that it forks: the child waits for shares, and the parent hands them.

    After the fork each says which of the two it is.
    """

    def __init__(self) -> None:
        self._of_parent, self._of_child = socket.socketpair()

    def be_parent(self) -> Self:
        """Be the end of the process that hands shares."""
        self._of_child.close()
        return self

    def be_child(self) -> Self:
        """Be the end of the process that works on them."""
        self._of_parent.close()
        return self

    def close(self) -> None:
        """Hand no more shares: a child that waits for one ends."""
        self._of_parent.close()

    def hand(self, share: NextShare) -> None:
        """Let the child work on *share*. Raises OSError where it has ended."""
        self._of_parent.sendall(json.dumps(share).encode() + b"\n")

    def is_child_done(self) -> bool:
        """Tell whether the child is done with its share, with status 0, and waits; it says so once."""
        try:
            said = self._of_parent.recv(1, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            said = b""
        if not said:  # it has ended, or a job has closed its descriptors: it would be readable for ever
            self.close()
        return said == _DONE

    def wait_for_next(self) -> NextShare | None:
        """Say that the share is done, and return the next one; None where this process is to end."""
        with suppress(OSError, ValueError), self._of_child.makefile("rb") as lines:
            self._of_child.sendall(_DONE)
            variables, log = json.loads(lines.readline())
            return NextShare(variables, log)
        return None

    @property
    def is_open(self) -> bool:
        """Tell whether the child may still say something."""
        return self.fileno() >= 0

    def fileno(self) -> int:
        """Return the descriptor that is readable when the child says something; -1 once it is closed."""
        return self._of_parent.fileno()
