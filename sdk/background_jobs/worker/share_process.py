"""A process that works on a share, as its parent sees it: it ends when it is done, or stays for another."""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from background_jobs.worker.descendants import reap
from background_jobs.worker.next_shares import NextShare, ShareLink

_END_SECONDS: Final = 5.0
"""How long a process may take to end that gets no further share: the next share waits for it."""
_POLL_SECONDS: Final = 0.005
_LOOK_WITHOUT_PIDFD_SECONDS: Final = 0.05


class ShareProcess:
    """A child of this process; by *link* it can say that it is done, and get another share of *job_name*."""

    def __init__(self, pid: int, link: ShareLink | None = None, job_name: str = "") -> None:
        self.pid: Final = pid
        self.job_name: Final = job_name
        self.stays = False
        """Whether it is done with its share, and waits for another one."""
        self._link = link

    def hand(self, share: NextShare) -> bool:
        """Hand *share* to it; tell whether it is still there."""
        if self._link is None or self._has_ended():
            return False
        self.stays = False
        try:
            self._link.hand(share)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Hand it no more shares; it ends, if it waits for one."""
        if self._link:
            self._link.close()

    def end(self) -> None:
        """Have it end, by force where it takes too long."""
        self.close()
        deadline = time.monotonic() + _END_SECONDS
        while not self._has_ended():
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(_POLL_SECONDS)

    @contextmanager
    def watched(self) -> "Iterator[Callable[[float], int | None]]":
        """Yield what waits for so many seconds, or until it ends or stays, and reaps other children.

        That returns the exit code, -n after signal n and 0 where it stays; None while it works.
        """
        ended = _open_pidfd(self.pid)
        try:
            yield lambda seconds: self._wait(ended, seconds)
        finally:
            if ended is not None:
                os.close(ended)

    def _wait(self, ended: int | None, seconds: float) -> int | None:
        link = self._link if self._link and self._link.is_open else None
        if ended is None:
            time.sleep(min(seconds, _LOOK_WITHOUT_PIDFD_SECONDS))
        else:
            select.select([ended, link.fileno()] if link else [ended], [], [], seconds)
        if link and link.is_child_done():
            self.stays = True
            return 0
        reap(spared={self.pid})
        pid, wait_status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(wait_status) if pid else None

    def _has_ended(self) -> bool:
        with suppress(ChildProcessError):  # it was reaped before
            return os.waitpid(self.pid, os.WNOHANG)[0] != 0
        return True


def _open_pidfd(pid: int) -> int | None:
    """Return a descriptor that becomes readable when the process ends; None on systems that have none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
