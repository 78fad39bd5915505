"""What a team installs: the wheel alone must bring everything that the offline stack needs."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from background_jobs.core.containers.variables import CONTAINER_NAME

REPOSITORY = Path(__file__).parents[2]
JOBS = """
from background_jobs import job_name, run_e11_job
import background_jobs

@job_name("where")
def where(params):
    return background_jobs.__file__

if __name__ == "__main__":
    run_e11_job([where])
"""
KICK_OFF = """
import background_jobs
service = background_jobs.OrchestrationService()
orchestration = service.kick_off_job("where", [{}])
print(background_jobs.__file__, service.get_job_results(orchestration.id).successes[0].result, sep="\\n")
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and lay its contents into a folder, as an installer does."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    packages = folder / "packages"
    zipfile.ZipFile(wheel).extractall(packages)
    return packages


def test_the_wheel_alone_runs_a_job_offline(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(JOBS)
    (tmp_path / "kick_off.py").write_text(KICK_OFF)
    run = "from background_jobs.cli.main import app; app()"
    done = subprocess.run(
        [sys.executable, "-c", run, "local", "run", "--jobs", "jobs.py", "--", sys.executable, "kick_off.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    # the caller and the container both used what the wheel brought
    assert done.stdout.splitlines() == [str(installed / "background_jobs" / "__init__.py")] * 2, done.stderr


def test_the_wheel_brings_types_template_functions_and_the_console(installed: Path) -> None:
    package = installed / "background_jobs"
    assert (package / "py.typed").exists()
    assert CONTAINER_NAME in (package / "local_stack" / "template.json").read_text()
    assert len(list((package / "files" / "lambdas").glob("*/handler.py"))) == 8
    source = REPOSITORY / "sdk" / "background_jobs" / "progress_api" / "console" / "static"
    files = [path.relative_to(source) for path in source.rglob("*") if path.is_file()]
    shipped = package / "progress_api" / "console" / "static"
    assert [path for path in files if not (shipped / path).is_file()] == []


def test_importing_the_sdk_does_not_import_boto3() -> None:
    code = "import sys, background_jobs; sys.exit('boto3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
