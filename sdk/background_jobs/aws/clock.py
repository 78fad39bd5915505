"""The time by the clock of this machine, corrected where the answers of AWS show that it is wrong."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from background_jobs.core.clock_offset import offset_seconds

_log = logging.getLogger(__name__)


class Clock:
    """Tells the time of AWS, to within some seconds, once one of its clients had an answer."""

    def __init__(self, local: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._local = local
        self._sent = f"background_jobs_sent_at_{id(self)}"
        """Where a call notes the time by this clock; others may be attached to the same client."""
        self._offset = 0.0
        self._has_warned = False

    def __call__(self) -> datetime:
        """Return the time."""
        return self._local() + timedelta(seconds=self._offset)

    @property
    def offset_seconds(self) -> float:
        """Return how far AWS's clock is ahead of this machine's; 0 where they do not differ for certain."""
        return self._offset

    def __reduce__(self) -> str:
        """Stand for the clock of the process that reads the pickle: another machine has another offset."""
        return "clock"

    def attach(self, client: Any) -> None:  # noqa: ANN401 -- a client of any service
        """Learn from the answers to *client*."""
        client.meta.events.register("before-call", self._note_sent)
        client.meta.events.register("response-received", self._note_answer)

    def _note_sent(self, context: dict[str, Any], **_: object) -> None:
        context[self._sent] = self._local()

    def _note_answer(
        self, context: dict[str, Any], response_dict: dict[str, Any] | None = None, **_: object
    ) -> None:
        date = (response_dict or {}).get("headers", {}).get("date")
        if date is not None and self._sent in context:
            self.note(context[self._sent], date, self._local())

    def note(self, sent: datetime, date: str, received: datetime) -> None:
        """Learn from an answer with the header Date; *sent* and *received* are by this machine's clock."""
        try:
            self._offset = offset_seconds(sent, parsedate_to_datetime(date), received)
        except (TypeError, ValueError):  # a proxy may answer anything
            return
        if self._offset and not self._has_warned:
            self._has_warned = True
            _log.warning(
                "This machine's clock is %.0f s %s AWS's; times are told by AWS's. Have it set (NTP).",
                abs(self._offset),
                "behind" if self._offset > 0 else "ahead of",
            )


clock: Final = Clock()
"""The clock of this process."""
