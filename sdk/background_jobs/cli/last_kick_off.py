"""What was kicked off last: for commands that are given `-` in place of an id.

The history has an orchestration a moment after its kick-off, so what this machine kicked off is noted here
as well. Otherwise `-` would be another one in the command that comes right after a kick-off.
"""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from background_jobs.core.errors import BackgroundJobsError

if TYPE_CHECKING:
    from background_jobs.core.read_model import Summary
    from background_jobs.orchestration_service import OrchestrationService


class NothingKickedOff(BackgroundJobsError):
    """The history is empty, so there is no last orchestration."""

    def __init__(self) -> None:
        super().__init__(
            "Nothing was kicked off here yet, so - stands for no orchestration. "
            "Kick a job off first: background-jobs kick-off --help"
        )


def remember_kick_off(orchestration_id: str) -> None:
    """Note that an orchestration was kicked off from this machine; a folder that is read-only is no error."""
    with suppress(OSError):
        path = _note()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(orchestration_id)


def find_last_kick_off(service: "OrchestrationService") -> str:
    """Return the id of what was kicked off last, here or elsewhere. Raises NothingKickedOff."""
    candidates = [*service.history(limit=1).summaries, *_noted(service)]
    if not candidates:
        raise NothingKickedOff
    return max(candidates, key=_started).orchestration_id


def _noted(service: "OrchestrationService") -> "list[Summary]":
    """Return what was noted; nothing where it was kicked off in another stack or account."""
    try:
        return [service.orchestration(_note().read_text().strip()).summary()]
    except (OSError, BackgroundJobsError):
        return []


def _started(summary: "Summary") -> float:
    return summary.started_at.timestamp() if summary.started_at else 0.0


def _note() -> Path:
    from background_jobs.settings import Settings

    return Path(typer.get_app_dir("background-jobs")) / f"last-{Settings.from_env().environment}"
