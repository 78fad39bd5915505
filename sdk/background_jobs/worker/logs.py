"""What a container logs: lines of JSON on ECS, each with its orchestration and the instance that runs."""

import logging
import sys
from typing import TYPE_CHECKING

from background_jobs.core import ids
from background_jobs.json_log import FOR_PEOPLE, JsonFormatter
from background_jobs.settings import ContainerSettings

if TYPE_CHECKING:
    from background_jobs.worker.current_attempt import SharedCurrentAttempt


class ContainerLog:
    """Adds the ids of the share and of the current attempt to every line, also of the user's own code."""

    def __init__(self, settings: ContainerSettings) -> None:
        self._settings = settings
        self.current_attempt: SharedCurrentAttempt | None = None
        """The attempt that runs now, in the process of the jobs; None in the supervisor."""

    @property
    def is_for_machines(self) -> bool:
        """Whether the lines are JSON, as they are on ECS."""
        return bool(self._settings.metadata_uri)

    def begin(self) -> None:
        """Log to standard error, unless the user has set up logging in another way."""
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(
            JsonFormatter(self.context) if self.is_for_machines else logging.Formatter(FOR_PEOPLE)
        )
        logging.basicConfig(level=logging.INFO, handlers=[handler])

    def context(self) -> dict[str, object]:
        """Return the ids of the share, and of the job instance that runs."""
        orchestration_id = self._settings.orchestration_id
        fields: dict[str, object] = {
            "orchestration_id": orchestration_id,
            "job_name": self._settings.job_name,
            "share": self._settings.share,
        }
        current = self.current_attempt.read() if self.current_attempt else None
        if current is not None:
            fields["job_id"] = ids.job_id(orchestration_id, current.index)
            fields["index"] = current.index
            fields["attempt"] = current.attempt
        return fields
