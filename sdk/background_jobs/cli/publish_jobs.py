"""`background-jobs publish-jobs`: what an image tells of its jobs, for forms, `jobs` and `--param`."""

import sys
from typing import Annotated

import typer

from background_jobs.cli.reporting import print_note, reporting
from background_jobs.core.wording import count_of


def publish_jobs(
    jobs: Annotated[
        str | None, typer.Option(metavar="FILE", help="The file or module that calls run_e11_job([...]).")
    ] = None,
    image: Annotated[
        str | None, typer.Option(metavar="NAME", help="The image that is deployed, run by Docker.")
    ] = None,
    service: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose jobs they are; by default, of the settings.")
    ] = None,
) -> None:
    """Publish what the jobs of a service tell of themselves: run it after each deployment.

    Consoles and command lines then know their params. The offline stack does so by itself.
    """
    if (jobs is None) == (image is None):
        raise typer.BadParameter("Say where the jobs are: --jobs FILE or --image NAME, one of the two.")
    with reporting():
        from background_jobs.local_stack.jobs_image import JobsImage
        from background_jobs.local_stack.jobs_main import JobsMain
        from background_jobs.orchestration_service import OrchestrationService

        main = JobsImage.find(image) if image else JobsMain.find(str(jobs), sys.executable)
        described = main.describe()
        OrchestrationService().publish_jobs(described, service)
    names = ", ".join(job.name for job in described)
    print_note(f"Published {count_of(len(described), 'job')}: {names}")
