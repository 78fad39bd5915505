"""The images of a new repository: built from its own files and the wheel, with no checkout of the SDK."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.adoption.conftest import build_wheel
from tests.containers.conftest import base_arguments, build

pytestmark = pytest.mark.timeout(900)


def test_two_services_have_images_with_the_sdk_of_the_wheel(tmp_path: Path) -> None:
    # given a repository, with a second service in a folder of it
    wheel = build_wheel(tmp_path / "dist")
    init = [sys.executable, "-c", "from background_jobs.cli.main import app; app()", "init"]
    for folder, job in (("shop", "add_up"), ("shop/billing", "invoice")):
        subprocess.run([*init, f"--wheel={wheel}", str(tmp_path / folder)], check=True)
        jobs = tmp_path / folder / "jobs.py"
        jobs.write_text(jobs.read_text().replace("add_up", job))
        # when its image is built from that folder
        name = f"background-jobs-test-{job.replace('_', '-')}"
        build(name, *base_arguments(), str(tmp_path / folder))
        # then it has this job, and needs nothing else
        command = ["docker", "run", "--rm", "--read-only", "--env=BACKGROUND_JOBS_DESCRIBE=1", name]
        described = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert f'"{job}"' in described
