"""The variables of the commands, and a pipeline run to its end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from background_jobs import OrchestrationService
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.kick_off_job import start_next
from background_jobs.core.ids import next_stage_id
from background_jobs.jobs import Jobs
from background_jobs.settings import Settings


@pytest.fixture(autouse=True)
def variables(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The variables of the process that runs the commands, and a folder of its own for what is noted."""
    monkeypatch.setattr("typer.get_app_dir", lambda name: str(tmp_path / "notes" / name))
    for name, value in settings.model_copy(update={"job_names": ("halve", "other")}).to_env().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def to_the_end(
    stores: Stores,
    settings: Settings,
    launch: Callable[..., None],
    aggregate: Callable[[], list[Any]],
    aggregate_completion: Callable[[], None],
) -> Callable[..., str]:
    """Run an orchestration to its end and start its next stage; return the id of that stage."""

    def run_to_the_end(orchestration_id: str, jobs: Jobs | None = None) -> str:
        for share in range(stores.event_log.read_started(orchestration_id).parallelism):
            launch(OrchestrationService(settings).orchestration(orchestration_id), share, jobs=jobs)
        aggregate_completion()
        start_next("default", orchestration_id, stores, settings)
        assert aggregate() == []
        return next_stage_id(orchestration_id)

    return run_to_the_end
