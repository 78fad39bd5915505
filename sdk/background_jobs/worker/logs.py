"""What a container logs: lines of JSON, each with its orchestration and the instance that runs."""

import logging
import sys
from typing import TextIO

from background_jobs.core import ids
from background_jobs.json_log import FOR_PEOPLE, JsonFormatter
from background_jobs.settings import ContainerSettings
from background_jobs.worker.current_attempt import SharedCurrentAttempt, own_attempt


class _FormatterForPeople(logging.Formatter):
    """Begins each line with the index of the instance and its attempt, where several run at once."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as lines."""
        current, text = own_attempt.get(), super().format(record)
        return f"[{current.index}/{current.attempt}] {text}" if current else text


class _OwnHandler(logging.StreamHandler[TextIO]):
    """Writes the log where the user has not set up logging in another way."""


class ContainerLog:
    """Adds the ids of the share and of the current attempt to every line, also of the user's own code."""

    def __init__(self, settings: ContainerSettings) -> None:
        self._settings = settings
        self.current_attempt: SharedCurrentAttempt | None = None
        """The attempt that runs now, in the process of the jobs; None in the supervisor."""

    @property
    def is_for_machines(self) -> bool:
        """Whether the lines are JSON, as they are on ECS and in the files of the offline stack."""
        return bool(self._settings.metadata_uri or self._settings.log)

    def begin(self) -> None:
        """Log to standard error from now on, unless the user has set up logging in another way."""
        for earlier in [handler for handler in logging.root.handlers if isinstance(handler, _OwnHandler)]:
            logging.root.removeHandler(earlier)  # that of the share before
        handler = _OwnHandler(sys.stderr)
        handler.setFormatter(self.formatter(FOR_PEOPLE))
        logging.basicConfig(level=logging.INFO, handlers=[handler])

    def describe_printed(self, stream: str, line: str) -> str:
        """Return a line that a job has printed to *stream*, with the instance that printed it."""
        record = logging.makeLogRecord({"name": stream, "levelname": "INFO", "msg": line})
        return self.formatter("%(message)s").format(record)

    def formatter(self, for_people: str) -> logging.Formatter:
        """Return what makes lines of records: JSON for machines, and otherwise in this format."""
        return JsonFormatter(self.context) if self.is_for_machines else _FormatterForPeople(for_people)

    def context(self) -> dict[str, object]:
        """Return the ids of the share, and of the job instance that runs."""
        orchestration_id = self._settings.orchestration_id
        fields: dict[str, object] = {
            "orchestration_id": orchestration_id,
            "job_name": self._settings.job_name,
            "share": self._settings.share,
        }
        # What runs beside others has its own in a context variable, which threads that it starts do not have.
        current = own_attempt.get() or (self.current_attempt.read() if self.current_attempt else None)
        if current is not None:
            fields["job_id"] = ids.job_id(orchestration_id, current.index)
            fields["index"] = current.index
            fields["attempt"] = current.attempt
        return fields
