"""A team's first afternoon: `init`, its test, a run, the stack; tests/containers builds the images."""

import json
from pathlib import Path
from typing import Final

import pytest

from background_jobs.cdk.dependencies import PYTHON
from tests.adoption.conftest import Installation

# The first of them installs the CDK.
pytestmark = pytest.mark.timeout(1200)

WITHOUT_VALIDATION: Final = {"CDK_VALIDATION": "false"}
"""CDK's own only warns, and takes seconds of CPU; the test of a deployment has it."""

TWO_SERVICES = """
from background_jobs.cdk import EnvironmentConfig, ServiceConfig, synthesize_app

SERVICES = (
    ServiceConfig(name="default", image=".", jobs=("add_up",)),
    ServiceConfig(name="billing", image="./billing", jobs=("invoice",)),
)

if __name__ == "__main__":
    synthesize_app((EnvironmentConfig(environment="dev", services=SERVICES),))
"""


@pytest.fixture(scope="module")
def repository(installation: Installation) -> Installation:
    """An empty folder after `background-jobs init`."""
    written = json.loads(installation.run("background-jobs", "init", "--json"))
    assert f"wheels/{installation.wheel.name}" in written["files"]
    return installation


def test_the_installed_package_is_the_wheels(repository: Installation) -> None:
    code = (
        "import background_jobs, background_jobs.cdk.stack as s; print(background_jobs.__file__, s.__file__)"
    )
    for path in repository.run("python", "-c", code).split():
        assert Path(path).is_relative_to(repository.environment)


def test_the_test_of_a_new_repository_passes_at_once(repository: Installation) -> None:
    assert "1 passed" in repository.run("python", "-m", "pytest", "-q", "test_jobs.py")


def test_its_kick_off_runs_offline(repository: Installation) -> None:
    command = ["background-jobs", "local", "run", "--jobs", "jobs.py", "--", "python", "kick_off.py"]
    lines = repository.run(*command).splitlines()
    assert lines == [f"customer-{n}: {3 * n}" for n in range(10)]


def test_the_cdk_cli_synthesizes_its_stack_with_a_layer_of_what_is_installed(
    repository: Installation, node: Path
) -> None:
    cli = str(node / "node_modules" / "aws-cdk" / "bin" / "cdk")
    repository.run("node", cli, "synth", "--quiet", "--no-notices", "--ci", **WITHOUT_VALIDATION)
    assembly = repository.folder / "cdk.out"
    # when its functions are looked at
    (layer,) = assembly.glob("asset.*/python")
    # then they have the SDK that is installed, without what Lambda never imports
    assert (layer / "background_jobs" / "settings.py").is_file()
    assert not (layer / "background_jobs" / "cdk").exists()
    assert list(layer.rglob(f"*cpython-{PYTHON.replace('.', '')}-aarch64*.so"))
    assert list(assembly.glob("asset.*/aggregate_jobs/handler.py"))


def test_a_second_service_has_a_folder_and_an_image_of_its_own(repository: Installation) -> None:
    # given another service beside the first
    repository.run("background-jobs", "init", "billing")
    jobs = repository.folder / "billing" / "jobs.py"
    jobs.write_text(jobs.read_text().replace("add_up", "invoice"))
    (repository.folder / "two.py").write_text(TWO_SERVICES)
    # when the stack is synthesized
    # into the folder that has the layer already, if another synthesis has made it
    repository.run("python", "two.py", CDK_OUTDIR="cdk.out", **WITHOUT_VALIDATION)
    # then there is an image for each, built from the Dockerfile, the jobs and the wheel of its own folder
    assembly = repository.folder / "cdk.out"
    (manifest,) = assembly.glob("background-jobs-dev.assets.json")
    images = json.loads(manifest.read_text())["dockerImages"].values()
    folders = [assembly / image["source"]["directory"] for image in images]
    assert sorted("invoice" in (folder / "jobs.py").read_text() for folder in folders) == [False, True]
    for folder in folders:
        assert {path.name for path in folder.iterdir()} >= {
            "Dockerfile",
            "jobs.py",
            "requirements.txt",
            "wheels",
        }
        assert (folder / "wheels" / repository.wheel.name).is_file()
