"""Settings from variables and from the outputs of a stack, and what is said of those that are missing."""

import json
from pathlib import Path

import pytest

from background_jobs.core.errors import InvalidSettings, MissingSettings
from background_jobs.settings import SETTINGS_FILE, ContainerSettings, Settings

SETTINGS = Settings(
    environment="test",
    event_log_table="log",
    read_model_table="model",
    payload_bucket="bucket",
    job_names=("a", "b"),
    service_names=("billing", "ledger"),
    service_retention_days={"ledger": 365, "billing": 7},
)


def test_settings_survive_variables_and_the_outputs_of_a_stack() -> None:
    assert Settings.from_env(SETTINGS.to_env()) == SETTINGS
    assert Settings.from_outputs(SETTINGS.to_outputs()) == SETTINGS


def test_the_address_of_the_api_is_the_same_with_and_without_a_slash_at_its_end() -> None:
    address = "https://0a1b2c.execute-api.eu-central-1.amazonaws.com/v1"
    for given in (address, f"{address}/"):
        settings = Settings.from_env(SETTINGS.to_env() | {"BACKGROUND_JOBS_API_URL": given})
        assert settings.api_url == address


def test_one_error_names_every_missing_setting_and_what_to_do() -> None:
    with pytest.raises(MissingSettings, match="local run") as missing:
        Settings.from_env({"BACKGROUND_JOBS_ENVIRONMENT": "test", "BACKGROUND_JOBS_EVENT_LOG_TABLE": ""})
    assert missing.value.names == (
        "BACKGROUND_JOBS_EVENT_LOG_TABLE",
        "BACKGROUND_JOBS_PAYLOAD_BUCKET",
        "BACKGROUND_JOBS_READ_MODEL_TABLE",
    )


def test_a_setting_that_cannot_be_used_is_named_with_its_value() -> None:
    with pytest.raises(InvalidSettings, match="BACKGROUND_JOBS_MAX_PARALLELISM='0'"):
        Settings.from_env(SETTINGS.to_env() | {"BACKGROUND_JOBS_MAX_PARALLELISM": "0"})
    for days in ("billing", "billing=0", "billing=a week"):
        with pytest.raises(InvalidSettings, match="BACKGROUND_JOBS_SERVICE_RETENTION_DAYS"):
            Settings.from_env(SETTINGS.to_env() | {"BACKGROUND_JOBS_SERVICE_RETENTION_DAYS": days})


def test_a_container_names_its_variables_as_the_state_machine_does() -> None:
    with pytest.raises(MissingSettings, match=r"JOB_ID, JOB_INDICES, JOB_NAME.*given to a container"):
        ContainerSettings.from_env({})
    with pytest.raises(InvalidSettings, match="JOB_INDICES='7'"):
        ContainerSettings.from_env(
            dict.fromkeys(("JOB_NAME", "ORCHESTRATION_ID", "JOB_ID", "JOB_PARAMS_KEY"), "x")
            | {"JOB_SHARE": "0", "JOB_INDICES": "7", "JOB_PARAMS_BYTES": "0-1"}
        )


def test_settings_that_are_too_many_for_variables_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "background-jobs.json"
    file.write_text(json.dumps(SETTINGS.lists_to_env()))
    variables = SETTINGS.scalars_to_env() | {SETTINGS_FILE: str(file)}
    assert Settings.from_env(variables) == SETTINGS
    # and what is set counts first
    assert Settings.from_env(variables | {"BACKGROUND_JOBS_JOB_NAMES": "c"}).job_names == ("c",)


@pytest.mark.parametrize("text", [None, "no JSON"])
def test_a_settings_file_that_cannot_be_read_is_named(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "background-jobs.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InvalidSettings, match=r"BACKGROUND_JOBS_SETTINGS_FILE=.*cannot be read"):
        Settings.from_env(SETTINGS.to_env() | {SETTINGS_FILE: str(file)})
