"""What the Lambda functions are made of: the code of all, and the layer of their dependencies."""

from dataclasses import dataclass
from pathlib import Path

from constructs import IConstruct

from background_jobs.cdk.assembly import assets_folder
from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.dependencies import build_dependencies
from background_jobs.package_files import lambda_code


@dataclass(frozen=True, slots=True)
class FunctionAssets:
    """The code of all functions, with a subfolder for each, and the layer of their dependencies."""

    code: Path
    dependencies: Path


def build_assets(scope: IConstruct, config: EnvironmentConfig) -> FunctionAssets:
    """Build the layer in the assembly of *scope*; it is empty if the environment bundles none.

    All comes from what is installed here: the SDK, its functions and its lock file. Raises
    DependenciesNotInstalled.
    """
    folder = assets_folder(scope)
    return FunctionAssets(lambda_code(), build_dependencies(folder) if config.bundled else _empty(folder))


def _empty(folder: Path) -> Path:
    layer = folder / "empty"
    layer.mkdir(parents=True, exist_ok=True)
    (layer / "README").write_text("The functions import what is installed where they run.\n")
    return layer
