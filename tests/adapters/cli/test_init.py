"""`background-jobs init`: what it writes, where the SDK of the image comes from, and what it refuses.

tests/adoption uses what it writes.
"""

import json
import re
import subprocess
import sys
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import pytest

from background_jobs.package_files import lock_file
from tests.adapters.cli.commands import run
from tests.checkout import REPOSITORY

WHEEL = f"background_job_service-{version('background-job-service')}-py3-none-any.whl"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_wheel(folder: Path) -> Path:
    folder.mkdir()
    wheel = folder / WHEEL
    wheel.write_bytes(b"the wheel")
    return wheel


def test_what_was_written_is_told_and_nothing_else_is_there(here: Path) -> None:
    told = json.loads(run("init", "shop", "--json").stdout)
    written = [str(path.relative_to(here / "shop")) for path in (here / "shop").rglob("*") if path.is_file()]
    assert told == {"folder": "shop", "files": sorted(written)}
    assert {"jobs.py", "kick_off.py", "test_jobs.py", "app.py", "Dockerfile", "README.md"} <= set(written)


def test_the_image_gets_the_wheel_and_a_lock_with_its_hash(here: Path) -> None:
    wheel = write_wheel(here / "dist")
    run("init", "--wheel", str(wheel))
    assert (here / "wheels" / WHEEL).read_bytes() == b"the wheel"
    locked = (here / "requirements.txt").read_text()
    assert f"--hash=sha256:{sha256(b'the wheel').hexdigest()}\n" in locked
    assert locked.endswith(lock_file("container").read_text())


def test_a_second_service_gets_the_wheel_of_the_first(here: Path) -> None:
    write_wheel(here / "wheels")
    run("init", "billing")
    assert (here / "billing" / "wheels" / WHEEL).read_bytes() == b"the wheel"


def test_what_is_written_passes_strict_type_checks(here: Path) -> None:
    run("init")
    # app.py needs minutes, for the CDK; tests/adoption runs it
    checked = ("jobs.py", "kick_off.py", "test_jobs.py")
    options = ("--strict", "--config-file=", f"--cache-dir={REPOSITORY / '.mypy_cache' / 'init'}")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *checked],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_its_lock_is_made_as_the_documents_say(here: Path) -> None:
    run("init")
    (command,) = re.findall(r"^uv pip compile .*$", (here / "README.md").read_text(), re.MULTILINE)
    assert f"`{command}`" in (REPOSITORY / "docs" / "containers.md").read_text()


def test_without_a_wheel_the_readme_says_where_the_sdk_may_come_from(here: Path) -> None:
    assert "README.md says where it may come from" in run("init").stderr
    assert f"Put `{WHEEL}`" in (here / "README.md").read_text()
    # pip wants hashes of all or of none
    assert "--hash" not in (here / "requirements.txt").read_text()


def test_nothing_is_written_where_one_of_the_files_is(here: Path) -> None:
    (here / "jobs.py").write_text("mine")
    refused = run("init")
    assert refused.exit_code == 2
    assert f"{here} has these files already: jobs.py. Nothing was written" in refused.stderr
    assert [path.name for path in here.iterdir()] == ["jobs.py"]
    assert (here / "jobs.py").read_text() == "mine"


def test_a_file_that_is_not_the_wheel_is_refused(here: Path) -> None:
    other = here / "background_job_service-9.9.9-py3-none-any.whl"
    other.write_bytes(b"another version")
    refused = run("init", "--wheel", other.name)
    assert refused.exit_code == 2
    assert (
        f"{other.name} is not the wheel of the SDK that runs here, which is named {WHEEL}." in refused.stderr
    )
    assert list(here.iterdir()) == [other]
