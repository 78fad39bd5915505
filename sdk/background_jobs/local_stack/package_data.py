"""The files that ship with the package: the template that CDK synthesized, and the functions' code."""

from pathlib import Path
from typing import Final

from background_jobs.core.template_assets import NOTIFY_RESOURCES_FILE, TEMPLATE_FILE, WARM_RESOURCES_FILE

_PACKAGE: Final = Path(__file__).parents[1]

TEMPLATE: Final = _PACKAGE / TEMPLATE_FILE
WARM_RESOURCES: Final = _PACKAGE / WARM_RESOURCES_FILE
NOTIFY_RESOURCES: Final = _PACKAGE / NOTIFY_RESOURCES_FILE
"""All are written by `make synth`; there is no second description of the infrastructure."""


def lambda_code() -> Path:
    """Return the folder of the functions' code: beside this module in a wheel, in the checkout otherwise."""
    shipped = Path(__file__).parent / "lambdas"
    return shipped if shipped.is_dir() else _PACKAGE.parents[1] / "lambdas"
