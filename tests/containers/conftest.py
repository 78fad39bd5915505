"""The offline stack with real containers: the job image, built here, with this folder's jobs as its main."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from background_jobs import OrchestrationService
from background_jobs.aws.stores import Stores
from background_jobs.local_stack import LocalStack
from tests.containers import base_image
from tests.containers.engine import EngineAbsent, engine
from tests.offline import service

__all__ = ["service"]

REPOSITORY = Path(__file__).parents[2]
MEMORY_MIB = 256
BUILD_SECONDS = 240
IMAGE = "background-jobs-test"
BASE_IMAGE = os.environ.get("BASE_IMAGE")
_ABSENT = pytest.StashKey[str]()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Find an engine before the first test of this folder; without one, all are left out, in one line.

    In a hook, for what a fixture skips is told once for each test.
    """
    if item.config.stash.get(_ABSENT, None) is None:
        item.config.stash[_ABSENT] = _use_engine(item.config)
    if reason := item.config.stash[_ABSENT]:
        pytest.skip(f"No real containers were run: {reason}.")


def _use_engine(config: pytest.Config) -> str:
    """Use an engine until the end of the tests, and return nothing, or why there is none."""
    if sys.platform != "linux" and not BASE_IMAGE:
        return "set BASE_IMAGE=python:3.13-slim to build their image"
    until_the_end = ExitStack()
    config.add_cleanup(until_the_end.close)
    try:
        variables = until_the_end.enter_context(engine())
    except EngineAbsent as absent:
        return str(absent)
    patch = until_the_end.enter_context(pytest.MonkeyPatch.context())
    for name, value in variables.items():
        patch.setenv(name, value)
    return ""


@pytest.fixture(scope="session")
def job_image() -> str:
    """The image of job_container/Dockerfile, on BASE_IMAGE if that is set, else on this machine's Python."""
    build(IMAGE, *base_arguments(), "--file", "job_container/Dockerfile", str(REPOSITORY))
    return IMAGE


@cache
def base_arguments() -> tuple[str, ...]:
    """Return what `docker build` is told of the base image: BASE_IMAGE, else one of this machine's Python."""
    base = BASE_IMAGE
    if not base:
        base = f"{IMAGE}-base"
        base_image.build(base)
    return "--build-arg", f"BASE_IMAGE={base}"


@pytest.fixture(scope="session")
def image(job_image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """That image, its jobs replaced by those of this folder, as a team replaces them."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "jobs.py").write_text(Path(__file__).with_name("jobs.py").read_text())
    (folder / "Dockerfile").write_text(f"FROM {job_image}\nCOPY jobs.py ./\n")
    name = f"{IMAGE}-with-jobs"
    build(name, str(folder))
    return name


def build(name: str, *words: str) -> None:
    done = subprocess.run(
        ["docker", "build", "--tag", name, *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def stack(image: str) -> Iterator[LocalStack]:
    with LocalStack(image=image, containers=2, memory_mib=MEMORY_MIB) as stack:
        yield stack


@pytest.fixture
def stores(service: OrchestrationService, stack: LocalStack) -> Stores:
    return Stores.of(stack.settings)
