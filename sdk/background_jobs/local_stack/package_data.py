"""What ships with the package: the template that CDK synthesized, and the code of the functions."""

from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent

TEMPLATE: Final = _HERE / "template.json"
"""Written by `make synth`; there is no second description of the infrastructure."""

CODE_KEY: Final = "lambdas.zip"
DEPENDENCIES_KEY: Final = "dependencies.zip"
"""How the template names the two assets of the functions, whatever their contents."""


def lambda_code() -> Path:
    """Return the folder of the functions' code: beside this module in a wheel, in the checkout otherwise."""
    shipped = _HERE / "lambdas"
    return shipped if shipped.is_dir() else _HERE.parents[2] / "lambdas"
