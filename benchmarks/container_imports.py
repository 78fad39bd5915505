"""What a container imports until its first instance, and how much CPU each part takes: medians of twenty.

The rows of a table in docs/containers.md. Parts are imported one after the other, so that what several need
is counted for the first of them.
"""

import compileall
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Final

import background_jobs

RUNS: Final = 20
PARTS: Final = {
    "Python's own library": "sys.stdlib_module_names",
    "botocore and what it needs": "{'botocore', 'jmespath', 'urllib3', 'certifi', 'dateutil', 'six'}",
    "pydantic and what it needs": (
        "{'pydantic', 'pydantic_core', 'annotated_types', 'typing_inspection', 'typing_extensions'}"
    ),
    "background_jobs, for the most part its models": "{'background_jobs'}",
}
_START: Final = """
from background_jobs import run_e11_job
from background_jobs.aws import clients
import botocore.session
"""
_CLIENTS: Final = "clients.dynamodb(); clients.s3()"
_LIST: Final = f"{_START}import sys; print(*sys.modules)"
_IMPORT: Final = """
import contextlib, gc, importlib, sys, time
gc.disable()
print(time.process_time())
for names in ({parts}):
    for module in {modules!r}:
        if module.partition(".")[0] in names:
            with contextlib.suppress(ImportError):  # six makes some that cannot be imported by their name
                importlib.import_module(module)
    print(time.process_time())
{start}
{clients}
print(time.process_time())
"""


def main() -> None:
    """Print a row for each part."""
    # As in the image, also where PYTHONDONTWRITEBYTECODE is set.
    compileall.compile_dir(Path(background_jobs.__file__).parent, quiet=2)
    code = _IMPORT.format(
        parts=", ".join(PARTS.values()), modules=_list_modules(), start=_START, clients=_CLIENTS
    )
    runs = [[float(line) for line in _run(code)] for _ in range(RUNS)]
    names = ["Python itself", *PARTS, "making the clients of DynamoDB and S3"]
    for number, name in enumerate(names):
        taken = statistics.median(run[number] - (run[number - 1] if number else 0) for run in runs)
        print(f"| {name} | {1000 * taken:.0f} ms |")
    print(f"| **together** | {1000 * statistics.median(run[-1] for run in runs):.0f} ms |")


def _list_modules() -> list[str]:
    """Return the modules that are imported, in their order."""
    (line,) = _run(_LIST)
    return line.split()


def _run(code: str) -> list[str]:
    variables = {**os.environ, "AWS_DEFAULT_REGION": "eu-central-1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


if __name__ == "__main__":
    main()
