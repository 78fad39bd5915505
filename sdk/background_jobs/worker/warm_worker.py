"""A warm worker: a container that stays, and has a process of its own work on each share that it takes.

This process runs no jobs. It takes one share at a time, says that somebody works on it for as long as its
process runs, also while a job holds the interpreter, and reports its end.
"""

import logging
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import FrameType
from typing import Final

from background_jobs.aws.offer_queue import OfferQueue, ReceivedOffer
from background_jobs.aws.task_protection import MINUTES, TaskProtection
from background_jobs.aws.task_tokens import TaskTokens
from background_jobs.core.containers.variables import JOB_SHARE, ORCHESTRATION_ID
from background_jobs.core.containers.warm import (
    ANOTHER_REVISION,
    HIDDEN_SECONDS,
    OFFER_SECONDS,
    SHARE_NOT_DONE,
    Offer,
)
from background_jobs.core.limits import STOP_SECONDS
from background_jobs.worker.blame import describe_code
from background_jobs.worker.descendants import adopt_orphans
from background_jobs.worker.share_process import ShareProcess
from background_jobs.worker.supervisor import SHARE_LOST, TERMINATED

_BEAT_SECONDS: Final = OFFER_SECONDS / 4
_LOOK_SECONDS: Final = 0.5
_END_SECONDS: Final = STOP_SECONDS + 10.0
"""How long the process of a share may take to end; it ends the jobs before that."""
_HIDE_AGAIN_SECONDS: Final = HIDDEN_SECONDS / 3
_LONGEST_HIDDEN_SECONDS: Final = 11.5 * 3_600
"""After so long the message is deleted: SQS shows it to others twelve hours after it was received."""
_PROTECT_AGAIN_SECONDS: Final = MINUTES * 60 / 2
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 30.0
_log = logging.getLogger(__name__)

Start = Callable[[Mapping[str, str], ShareProcess | None], ShareProcess]
"""Returns the process that works on a share with these variables: the one that stayed, or a new one.

It blocks SIGTERM and SIGINT until a new process has handlers for them.
"""


class _Terminated(BaseException):
    """The worker was told to end while it waited for a share."""


class WarmWorker:
    """Takes shares from *queue* that are for the revision *task_definition*, until it is told to end.

    It ends by itself when what it has loaded is no longer what *is_current*; ECS starts another one.
    """

    def __init__(  # noqa: PLR0913, PLR0917 -- whom to ask, whom to tell, and what to start
        self,
        task_definition: str,
        queue: OfferQueue,
        tokens: TaskTokens,
        protection: TaskProtection,
        start: Start,
        is_current: Callable[[], bool] = lambda: True,
    ) -> None:
        self._task_definition = task_definition
        self._queue = queue
        self._tokens = tokens
        self._protection = protection
        self._start = start
        self._is_current = is_current
        self._terminated = False
        self._waits_for_share = False
        self._process: int | None = None
        self._kept: ShareProcess | None = None
        """The process that was done with the last share, and stays for the next."""

    def serve(self) -> int:
        """Work until SIGTERM or SIGINT comes, or a file was edited, and return the exit status."""
        for number in _SIGNALS:
            signal.signal(number, self._handle_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        descendants = adopt_orphans()
        _log.info("A warm worker of %s waits for shares", self._task_definition or "an unknown revision")
        with suppress(_Terminated):
            while not self._terminated:
                if received := self._receive():
                    self._take(received)
                    descendants.end(spared={self._kept.pid} if self._kept else ())
        if self._kept:
            self._kept.end()
        return TERMINATED

    def _handle_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._terminated = True
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process, signal.SIGTERM)
        elif self._waits_for_share:
            raise _Terminated

    def _receive(self) -> ReceivedOffer | None:
        """Return the next message; a pause that becomes longer follows each call that failed."""
        pause = _PAUSE_SECONDS
        self._waits_for_share = True
        try:
            while not self._terminated:
                try:
                    return self._queue.receive()
                except Exception as error:  # noqa: BLE001 -- the edge of the process; it may mend itself
                    _log.warning("The queue of shares cannot be read: %s", error)
                    time.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        finally:
            self._waits_for_share = False
        return None

    def _take(self, received: ReceivedOffer) -> None:
        """Work on a share that still waits for somebody, and is for this revision."""
        offer = received.offer
        try:
            if offer is None:
                _log.error("A message of the queue is no share, and is deleted")
            elif self._tokens.beat(offer.token) and self._is_of_this_revision(offer):
                self._work(offer, received.receipt)
        except Exception as error:  # noqa: BLE001 -- the edge of the process; nobody's sign reaches Step Functions
            _log.warning("A share is left to others: %s", error)
        with suppress(Exception):  # it comes again, and is dropped then
            self._queue.delete(received.receipt)

    def _is_of_this_revision(self, offer: Offer) -> bool:
        if offer.task_definition != self._task_definition:
            cause = f"The worker runs {self._task_definition or 'an unknown revision'}."
        elif not self._is_current():
            cause = "A file that the worker has loaded was edited."
            _log.info("Ends: a file that it has loaded was edited")
            self._terminated = True
        else:
            return True
        self._tokens.fail(offer.token, ANOTHER_REVISION, cause)
        return False

    def _work(self, offer: Offer, receipt: str) -> None:
        share, orchestration_id = (offer.variables.get(name) for name in (JOB_SHARE, ORCHESTRATION_ID))
        _log.info("Takes share %s of orchestration %s", share, orchestration_id)
        process = self._start(offer.variables, self._kept)
        self._process, self._kept = process.pid, None
        if self._terminated:  # before it was known whom to tell
            os.kill(self._process, signal.SIGTERM)
        attendance = _Attendance(process, offer.token, receipt, self._queue, self._tokens, self._protection)
        try:
            code = attendance.wait_for_end()
        finally:
            self._process = None
        if process.stays:
            self._kept = process
        else:
            process.close()
        if attendance.is_held and code != SHARE_LOST:
            self._report(offer, code)

    def _report(self, offer: Offer, code: int) -> None:
        """Report the end; whose share belongs to a later launch says nothing, for that one is heard of."""
        if code == 0:
            self._tokens.succeed(offer.token)
        else:
            self._tokens.fail(offer.token, SHARE_NOT_DONE, f"The container ended with {describe_code(code)}.")


class _Attendance:
    """What is done for a share while its process runs."""

    def __init__(  # noqa: PLR0913, PLR0917 -- whom to tell
        self,
        process: ShareProcess,
        token: str,
        receipt: str,
        queue: OfferQueue,
        tokens: TaskTokens,
        protection: TaskProtection,
    ) -> None:
        self._process = process
        self._token, self._receipt = token, receipt
        self._queue, self._tokens, self._protection = queue, tokens, protection
        self.is_held = True
        """Whether Step Functions still waits for this share."""
        now = time.monotonic()
        self._beat_at = now + _BEAT_SECONDS
        self._hide_at = now + _HIDE_AGAIN_SECONDS
        self._delete_at = now + _LONGEST_HIDDEN_SECONDS
        # A short share is not worth the call: it ends well within the time that SIGTERM leaves.
        self._protect_at = now + _BEAT_SECONDS
        self._is_protected = False
        self._kill_at = float("inf")

    def wait_for_end(self) -> int:
        """Return the exit code of the process, -n after signal n; 0 where it stays though it is done."""
        try:
            with self._process.watched() as wait:
                while (code := wait(_LOOK_SECONDS)) is None:
                    self._attend(time.monotonic())
                return code
        finally:
            if self._is_protected:
                _try(self._protection.end)

    def _attend(self, now: float) -> None:
        if self.is_held and now >= self._beat_at:
            self._beat_at = now + _BEAT_SECONDS
            self.is_held = _try(lambda: self._tokens.beat(self._token)) is not False
            if not self.is_held:
                _log.warning("Nobody waits for the share any more: it ends")
                os.kill(self._process.pid, signal.SIGTERM)
                self._kill_at = now + _END_SECONDS
        if now >= self._delete_at:
            self._delete_at = self._hide_at = float("inf")
            _try(lambda: self._queue.delete(self._receipt))
        elif now >= self._hide_at:
            self._hide_at = now + _HIDE_AGAIN_SECONDS
            _try(lambda: self._queue.hide(self._receipt))
        if now >= self._protect_at:
            self._protect_at = now + _PROTECT_AGAIN_SECONDS
            self._is_protected = True
            _try(self._protection.begin)
        if now >= self._kill_at:
            os.kill(self._process.pid, signal.SIGKILL)


def _try(call: Callable[[], bool | None]) -> bool | None:
    """Return what *call* returns, or None where it failed: the next one may succeed."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001 -- the share goes on without it
        _log.warning("A call about the share failed: %s", error)
        return None
