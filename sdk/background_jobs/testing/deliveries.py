"""Deliveries to the functions of the control plane, which are made again while they fail."""

import logging
from collections.abc import Callable
from typing import Final

from botocore.exceptions import ClientError

from background_jobs.aws.read_model import ReadModelConflict
from background_jobs.core.errors import BackgroundJobsError
from background_jobs.testing.faults import Faults
from background_jobs.testing.virtual_time import VirtualTime

_LONGEST_WAIT: Final = 300.0
_TRIES: Final = 185
"""As many as EventBridge and Scheduler make."""
PASSES: Final = (ClientError, ReadModelConflict, BackgroundJobsError)
"""What a function may raise that is called again; anything else is a mistake of the twin."""
_log = logging.getLogger(__name__)


class Deliveries:
    """Delivers as AWS does: at least once."""

    def __init__(self, time: VirtualTime, faults: Faults) -> None:
        self._time = time
        self._faults = faults

    def deliver(self, call: Callable[[], None]) -> None:
        """Have *call* made as soon as time passes, and again while it fails for what may pass."""
        self._try(call, 1)
        if self._faults.delivers_twice:
            self._try(call, 1)

    def _try(self, call: Callable[[], None], number: int) -> None:
        def happen() -> None:
            try:
                call()
            except PASSES as failed:
                if number == _TRIES:
                    raise
                _log.warning("A delivery failed, and is made again: %s", failed)
                self._try(call, number + 1)

        wait = 0.0 if number == 1 else min(_LONGEST_WAIT, 2.0**number)
        self._time.plan(wait, happen)
