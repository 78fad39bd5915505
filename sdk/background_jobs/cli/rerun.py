"""`background-jobs rerun`: run an orchestration again, or only what errored in it."""

from typing import TYPE_CHECKING, Unpack

from background_jobs.cli.arguments import AsJson, OrchestrationId
from background_jobs.cli.kick_off import announce
from background_jobs.cli.last_kick_off import remember_kick_off
from background_jobs.cli.options import take_options
from background_jobs.cli.reporting import print_json, print_note, reporting

if TYPE_CHECKING:
    from background_jobs.core.options import RerunKeywords


@take_options("rerun")
def rerun(
    orchestration_id: OrchestrationId, as_json: AsJson = False, **options: Unpack["RerunKeywords"]
) -> None:
    """Run again what errored, as a new orchestration.

    Prints the id of the new one, which has the first one as its parent. It runs what was deployed last,
    whichever revision the first one ran.
    """
    with reporting():
        from background_jobs.core.views.orchestration import KickOffAnswer
        from background_jobs.orchestration_service import OrchestrationService

        orchestration = OrchestrationService().rerun(orchestration_id, **options)
        remember_kick_off(orchestration.id)
    if as_json:
        print_json(KickOffAnswer(orchestration_id=orchestration.id, job_name=orchestration.job_name))
    else:
        announce(orchestration)
        print_note("It runs the latest revision of the task definition, which `background-jobs show` names.")
