"""What goes wrong with an offline stack."""

from collections.abc import Iterable
from pathlib import Path

from background_jobs.core.errors import BackgroundJobsError


class LocalStackError(BackgroundJobsError):
    """The offline stack did not come up, or went down by itself."""


class InvalidLocalStack(BackgroundJobsError):
    """The options do not say how jobs are to run."""


class UnknownService(BackgroundJobsError):
    """The offline stack of a project has no service of this name."""

    def __init__(self, project: Path, service: str, known: Iterable[str]) -> None:
        self.project, self.service, self.known = project, service, tuple(known)
        super().__init__(
            f"The offline stack of {project} has no service {service!r}. It has: {', '.join(self.known)}."
        )
