"""The template that CDK synthesized, which ships with the package."""

from typing import Final

from background_jobs.core.template_assets import (
    NOTIFY_RESOURCES_FILE,
    SERVICE_RESOURCES_FILE,
    TEMPLATE_FILE,
    WARM_RESOURCES_FILE,
)
from background_jobs.package_files import PACKAGE

TEMPLATE: Final = PACKAGE / TEMPLATE_FILE
WARM_RESOURCES: Final = PACKAGE / WARM_RESOURCES_FILE
SERVICE_RESOURCES: Final = PACKAGE / SERVICE_RESOURCES_FILE
NOTIFY_RESOURCES: Final = PACKAGE / NOTIFY_RESOURCES_FILE
"""All are written by `make synth`; there is no second description of the infrastructure."""
