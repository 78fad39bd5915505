"""An image of an earlier release with the stack of this one, and the reverse, on the offline stack.

The earlier release is taken from the history of git: the first commit of which the log is in blocks.
"""

import json
import shlex
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any, NamedTuple

import pytest

REPOSITORY = Path(__file__).parents[2]
EARLIER = "a40e8e654c842e9b4ce93892afe1ee8c6ba7681c"
JOBS = """
import background_jobs
from background_jobs import JobContext, Retry, job_name, run_e11_job


@job_name("halve", retry=Retry(max_attempts=2, base_seconds=0.01, retry_on=(ArithmeticError,)))
def halve(params: dict, job: JobContext):
    job.progress(50, "half way")
    if params["n"] == 3 and job.attempt == 1:
        raise ArithmeticError("once")
    if params["n"] == 5:
        raise ValueError("5 is odd")
    return [params["n"] / 2, background_jobs.__file__]


run_e11_job([halve])
"""
CALLER = """
import json

import background_jobs
from background_jobs import OrchestrationService
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.rebuild import differences
from background_jobs.settings import Settings

service = OrchestrationService()
first = service.kick_off_job("halve", [{"n": n} for n in range(8)], parallelism=2, tags={"customer": "acme"})
successes, failures = service.get_job_results(first.id, timeout=60)
rerun = failures.rerun()
rerun.wait(60)
history = first.event_history()
print(json.dumps({
    "caller": background_jobs.__file__,
    "image": successes[0].result[1],
    "results": [success.result[0] for success in successes],
    "attempts": [success.attempts for success in successes],
    "failures": [[one.index, one.params, one.error.type, one.error.message] for one in failures],
    "rerun": [rerun.summary().total, rerun.summary().errored],
    "differences": [*differences(first.id, Stores.of(Settings.from_env()))],
    "containers": len(history.launches),
    "failed_attempts": history.failed_attempts,
}))
"""


class Release(NamedTuple):
    """A release as it is installed."""

    python: str
    package: Path


@pytest.fixture(scope="module")
def this() -> Release:
    return Release(sys.executable, REPOSITORY / "sdk" / "background_jobs")


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """An environment with the earlier release in place of this one, and with the same libraries."""
    folder = tmp_path_factory.mktemp("earlier")
    archive = subprocess.run(
        ["git", "-C", str(REPOSITORY), "archive", EARLIER, "sdk", "cdk", "lambdas"],
        capture_output=True,
        check=False,
    )
    if archive.returncode:
        pytest.skip("no image of an earlier release ran: the history of git is not here")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    venv.create(folder / "environment", symlinks=True)
    base = {"base": str(folder / "environment"), "platbase": str(folder / "environment")}
    packages = Path(sysconfig.get_path("purelib", vars=base))
    libraries = sysconfig.get_path("purelib")
    (packages / "earlier.pth").write_text(f"{folder / 'sdk'}\n{libraries}\n")
    python = str(folder / "environment" / "bin" / "python")
    return Release(python, folder / "sdk" / "background_jobs")


class Run(NamedTuple):
    """An offline stack that has run a job for each of its callers."""

    image: Release
    callers: list[Release]
    told: list[dict[str, Any]]
    """What each caller was told."""


def run(stack: Release, image: Release, callers: list[Release], folder: Path) -> Run:
    """Kick off a job of *image* on the offline stack of *stack*, by one of *callers* after the other."""
    (folder / "jobs.py").write_text(JOBS)
    (folder / "caller.py").write_text(CALLER)
    start = "from background_jobs.cli.main import app; app()"
    options = ["local", "run", "--jobs", "jobs.py", "--python", image.python, "--"]
    script = " && ".join(f"{shlex.quote(caller.python)} caller.py" for caller in callers)
    done = subprocess.run(
        [stack.python, "-c", start, *options, "sh", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120 * len(callers),
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return Run(image, callers, told[-len(callers) :])


@pytest.fixture(scope="module")
def earlier_image_with_this_stack(
    this: Release, earlier: Release, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    return run(this, earlier, [this, earlier], tmp_path_factory.mktemp("this_stack"))


@pytest.fixture(scope="module")
def this_image_with_an_earlier_stack(
    this: Release, earlier: Release, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    return run(earlier, this, [earlier], tmp_path_factory.mktemp("earlier_stack"))


@pytest.mark.parametrize(
    ("met", "caller"),
    [
        pytest.param("earlier_image_with_this_stack", 0, id="an earlier image with this stack"),
        pytest.param("earlier_image_with_this_stack", 1, id="an earlier image and caller with this stack"),
        pytest.param("this_image_with_an_earlier_stack", 0, id="this image with an earlier stack"),
    ],
)
def test_releases_that_meet_run_a_job_to_its_end(
    request: pytest.FixtureRequest, met: str, caller: int
) -> None:
    """With results, retries, failures, a rerun and a read model that is what the log makes."""
    image, callers, told = request.getfixturevalue(met)
    assert told[caller] == {
        "caller": str(callers[caller].package / "__init__.py"),
        "image": str(image.package / "__init__.py"),
        "results": [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 3.5],
        "attempts": [1, 1, 1, 2, 1, 1, 1],
        "failures": [[5, {"n": 5}, "ValueError", "5 is odd"]],
        "rerun": [1, 1],
        "differences": [],
        "containers": 2,
        "failed_attempts": 1,
    }
