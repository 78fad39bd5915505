"""The layer with those settings of the functions that grow with the services and jobs of an environment."""

import hashlib
import json
from pathlib import Path
from typing import Final

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from background_jobs.cdk.assembly import assets_folder
from background_jobs.settings import SETTINGS_FILE, ExecutionSettings, Settings

_NAME: Final = "background-jobs.json"


class SettingsLayer(Construct):
    """A file beside the functions' code, for Lambda gives all variables of a function 4 KB.

    Source: AWS Lambda Developer Guide, "Lambda quotas".
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, execution: ExecutionSettings
    ) -> None:
        super().__init__(scope, construct_id)
        folder = write_settings(
            assets_folder(self), settings.environment, settings.lists_to_env() | execution.lists_to_env()
        )
        self.layer = lambda_.LayerVersion(
            self,
            "Layer",
            code=lambda_.Code.from_asset(str(folder)),
            description=f"Settings {folder.name.removeprefix('settings-')}",
            compatible_architectures=[lambda_.Architecture.ARM_64],
        )
        self.variables = {SETTINGS_FILE: f"/opt/{_NAME}"}


def write_settings(within: Path, environment: str, variables: dict[str, str]) -> Path:
    """Write the file of *environment*, and return its folder *within*, named after what it holds."""
    text = json.dumps(variables, indent=1, sort_keys=True) + "\n"
    folder = within / f"settings-{environment}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _NAME).write_text(text)
    return folder
