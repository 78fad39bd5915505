"""How long each Lambda function takes to import what it needs, in CPU time: the best of five.

The budget is 300 ms; boto3, which takes most of as much again, is imported with the first call of AWS.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

LAMBDAS: Final = Path(__file__).parents[1] / "lambdas"
BUDGET_MS: Final = 300
_CODE: Final = "import time; t = time.process_time(); import {}; print(time.process_time() - t)"


def main() -> None:
    """Print a line for each function."""
    modules = [f"{path.parent.name}.handler" for path in sorted(LAMBDAS.glob("*/handler.py"))]
    for module in (*modules, "background_jobs.progress_api.__main__"):
        best = min(_import_ms(module) for _ in range(5))
        print(f"import {module:<40} {best:4.0f} ms of {BUDGET_MS}")


def _import_ms(module: str) -> float:
    variables = {**os.environ, "PYTHONPATH": str(LAMBDAS)}
    command = [sys.executable, "-c", _CODE.format(module)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    return 1000 * float(done.stdout)


if __name__ == "__main__":
    main()
