"""`background-jobs open`: the page of an orchestration in the console."""

from background_jobs.cli.arguments import OrchestrationId
from background_jobs.cli.console import open_address
from background_jobs.cli.reporting import reporting
from background_jobs.core.errors import BackgroundJobsError


class NoConsole(BackgroundJobsError):
    """The settings do not say where the progress API is, which serves the console."""

    def __init__(self) -> None:
        super().__init__(
            "The setting BACKGROUND_JOBS_API_URL is missing; it says where the console is, and is an output "
            "of the stack. Offline, `background-jobs local up` prints it."
        )


def open_console(orchestration_id: OrchestrationId) -> None:
    """Open the page of an orchestration in the console.

    Prints the address, and on a terminal opens it in the browser.
    """
    with reporting():
        from background_jobs.orchestration_service import OrchestrationService
        from background_jobs.settings import Settings

        settings = Settings.from_env()
        if not settings.console:
            raise NoConsole
        orchestration = OrchestrationService(settings).orchestration(orchestration_id)
    open_address(f"{settings.console}#/orchestrations/{orchestration.id}")
