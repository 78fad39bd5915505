"""What a container imports: the list in docs/containers.md, and nothing else."""

import os
import re
import subprocess
import sys
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "containers.md"
IMPORT_ALL = """
import sys
from background_jobs import run_e11_job
from background_jobs.aws import clients
clients.dynamodb(), clients.s3()
print(*{name.partition(".")[0] for name in sys.modules} - set(sys.builtin_module_names))
"""
IMPORT_MODULES = IMPORT_ALL.replace(
    'name.partition(".")[0] for name in sys.modules', "name for name in sys.modules"
)
FOR_CALLERS = [
    "aio",
    "aws.history",
    "aws.read_model",
    "aws.schedule_log",
    "aws.stores",
    "cli",
    "control_plane",
    "core.fold",
    "core.options",
    "core.planning",
    "core.read_model",
    "core.schedules",
    "local_stack",
    "orchestration_service",
    "progress_api",
    "public",
]
ONLY_PYTHON = "import site, sys; print(*sys.modules)"


def imported_by(code: str) -> set[str]:
    variables = {**os.environ, "AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "test"}
    variables["AWS_SECRET_ACCESS_KEY"] = "test"
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_a_container_imports_what_the_documents_say() -> None:
    """Each package more is paid by every container, on AWS in seconds of Fargate."""
    table = DOCUMENT.read_text().partition("| packages | why |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in table.splitlines() if row)))

    imported = imported_by(IMPORT_ALL)

    foreign = {
        name
        for name in imported - set(sys.stdlib_module_names) - imported_by(ONLY_PYTHON)
        if not name.startswith("_")
    }
    assert foreign - {"background_jobs"} == named
    assert "asyncio" not in imported


def test_a_container_starts_without_the_parts_for_callers() -> None:
    """Their models alone take tens of milliseconds to make; boto3 takes as long for what no container uses."""
    imported = imported_by(IMPORT_MODULES)

    assert "background_jobs.worker.container" in imported
    assert imported.isdisjoint(f"background_jobs.{name}" for name in FOR_CALLERS)
    assert imported.isdisjoint({"asyncio", "aws_lambda_powertools", "boto3", "click", "rich", "typer"})


def test_the_collector_of_garbage_runs_when_jobs_are_imported() -> None:
    """It is switched off while our own modules are loaded, and a job's process needs it."""
    imported = imported_by("import gc; from background_jobs import run_e11_job; print(gc.isenabled())")

    assert imported == {"True"}
