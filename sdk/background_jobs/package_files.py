"""Files of the repository that ship with the package: the functions' code, and the locked dependencies."""

from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).parent
"""The folder of the package, as it is installed."""

_SHIPPED: Final = PACKAGE / "files"


def lambda_code() -> Path:
    """Return the folder of the functions' code, with a subfolder for each."""
    return _find("lambdas")


def lock_file(name: str) -> Path:
    """Return a lock file in pip's format: ``local`` of the offline stack, ``container`` of containers."""
    return _find(f"requirements/{name}.txt")


def _find(path: str) -> Path:
    """Return *path* where a wheel has it, or else where the checkout of an editable installation does."""
    shipped = _SHIPPED / path
    return shipped if shipped.exists() else PACKAGE.parents[1] / path
