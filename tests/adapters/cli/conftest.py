"""The variables of the commands."""

from pathlib import Path

import pytest

from background_jobs.settings import Settings


@pytest.fixture(autouse=True)
def variables(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The variables of the process that runs the commands, and a folder of its own for what is noted."""
    monkeypatch.setattr("typer.get_app_dir", lambda name: str(tmp_path / "notes" / name))
    for name, value in settings.model_copy(update={"job_names": ("halve", "other")}).to_env().items():
        monkeypatch.setenv(name, value)
