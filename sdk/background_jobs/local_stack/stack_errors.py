"""What goes wrong with an offline stack."""

from background_jobs.core.errors import BackgroundJobsError


class LocalStackError(BackgroundJobsError):
    """The offline stack did not come up, or went down by itself."""


class InvalidLocalStack(BackgroundJobsError):
    """The options do not say how jobs are to run."""
