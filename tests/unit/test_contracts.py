"""The rules of `make check` for the structure of the code: each finds a violation that is planted in a copy."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from background_jobs.cdk.node import use_bundled_node
from tests.conftest import COLLECTED_WITH_CDK
from tests.node import PackagesNotInstalled, install_packages

REPOSITORY = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
CORE, SERVICE = "sdk/background_jobs/core", "sdk/background_jobs/orchestration_service"
CONSOLE = "sdk/background_jobs/progress_api/console"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what import-linter looks at."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("sdk", "cdk", "lambdas"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, folder / name, symlinks=True, ignore=ignored)
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    return folder


def lint_imports(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [BIN / "lint-imports"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "sdk"), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )


def broken_contracts(output: str) -> set[str]:
    return set(re.findall(r"^(.+) BROKEN", output, re.MULTILINE))


def test_the_copy_keeps_all_contracts(checkout: Path) -> None:
    kept = lint_imports(checkout)
    assert kept.returncode == 0, kept.stdout


@pytest.mark.parametrize(
    ("path", "statement", "contract"),
    [
        (
            "sdk/background_jobs/aws/tasks.py",
            "import background_jobs.worker",
            "Each layer of background_jobs uses only the layers below it",
        ),
        (
            "sdk/background_jobs/stray.py",
            "",
            "Each layer of background_jobs uses only the layers below it",
        ),
        (
            f"{CORE}/schedules/overlap.py",
            "import time",
            "core is pure: no environment, clock, randomness, log, network, file or AWS",
        ),
        (
            f"{CORE}/events/base.py",
            "import background_jobs.core.fold",
            "Inside core, wings stand over the modules that they share",
        ),
        (
            f"{SERVICE}/params_spool.py",
            "import background_jobs.orchestration_service.service",
            "Inside orchestration_service, a handle uses decisions, and these use readers",
        ),
        (
            "cdk/storage.py",
            "import background_jobs.cdk.stack",
            "Inside cdk, a construct uses only the constructs below it",
        ),
        ("cdk/storage.py", "import background_jobs.aws.stores", "cdk uses core and settings only"),
        (
            "lambdas/note_delay/handler.py",
            "import lambdas.note_stalls.handler",
            "The Lambda functions are independent of each other",
        ),
        (
            "lambdas/note_delay/handler.py",
            "import background_jobs.worker.main",
            "The Lambda functions use control_plane, orchestration_service, aws, settings and core only",
        ),
        (
            "sdk/background_jobs/control_plane/stream.py",
            "import os",
            "Variables of the process are read by settings, and by what starts or ends processes",
        ),
        (
            "lambdas/note_delay/handler.py",
            "import boto3",
            "boto3 is imported by aws",
        ),
        (
            "sdk/background_jobs/aws/transactions.py",
            "import background_jobs.aws.event_log",
            "No circles of imports",
        ),
    ],
)
def test_a_forbidden_import_breaks_its_contract(
    checkout: Path, path: str, statement: str, contract: str
) -> None:
    # given a copy with one import too many
    planted = checkout / path
    before = planted.read_text() if planted.exists() else None
    planted.write_text(f"{before or ''}\n{statement}\n")
    try:
        # when the imports are checked
        done = lint_imports(checkout)
    finally:
        if before is None:
            planted.unlink()
        else:
            planted.write_text(before)
    # then the check fails, and names the contract
    assert done.returncode == 1
    assert contract in broken_contracts(done.stdout)


def test_core_may_import_none_of_what_makes_it_impure(checkout: Path) -> None:
    # given a copy whose core imports all of it
    planted = checkout / CORE / "planning" / "costs.py"
    before = planted.read_text()
    impure = ("os", "time", "random", "logging", "socket", "pathlib", "boto3", "botocore")
    planted.write_text(before + "".join(f"\nimport {module}" for module in impure))
    try:
        # when the imports are checked
        done = lint_imports(checkout)
    finally:
        planted.write_text(before)
    # then each of them is named
    assert done.returncode == 1
    for module in impure:
        assert f"background_jobs.core is not allowed to import {module}:" in done.stdout


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{CORE}/fold.py", "from datetime import UTC, datetime\n\nNOW = datetime.now(UTC)\n"),
        ("cdk/stack.py", "from datetime import UTC, datetime\n\nNOW = datetime.now(UTC)\n"),
        (f"{CORE}/fold.py", "import time\n\nNOW = time.time()\n"),
        ("sdk/background_jobs/aws/tasks.py", "import time\n\nNOW = time.time()\n"),
        ("sdk/background_jobs/aws/tasks.py", 'import boto3\n\nTABLES = boto3.resource("dynamodb")\n'),
        ("sdk/background_jobs/aws/tasks.py", 'import boto3\n\nTABLES = boto3.client("dynamodb")\n'),
        ("sdk/background_jobs/aws/tasks.py", 'import os\n\nTABLE = os.environ["TABLE"]\n'),
        ("cdk/stack.py", 'import os\n\nTABLE = os.getenv("TABLE")\n'),
    ],
)
def test_a_banned_call_is_refused_outside_its_place(path: str, code: str) -> None:
    done = subprocess.run(
        [
            BIN / "ruff",
            "check",
            "--select",
            "TID251",
            "--output-format",
            "concise",
            "--stdin-filename",
            path,
            "-",
        ],
        cwd=REPOSITORY,
        input=code,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "TID251" in done.stdout


FAULTS = {
    "eslint": "export const answer = () => {\n  const unused = 42;\n};\n",
    "prettier": "export const answer = {a:1}\n",
    "tsc": "/** @param {string} text */\nexport const double = (text) => text.twice();\n",
}
ARGUMENTS = {"eslint": ["."], "prettier": ["--check", "."], "tsc": []}


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the console's JavaScript, with the tools that check it."""
    use_bundled_node()
    try:
        install_packages(REPOSITORY)
    except PackagesNotInstalled as refused:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"Not tested: {refused}")
    folder = tmp_path_factory.mktemp("console")
    for name in ("eslint.config.js", "package.json", "tsconfig.json", ".prettierrc.json", ".prettierignore"):
        shutil.copy(REPOSITORY / name, folder)
    shutil.copytree(REPOSITORY / CONSOLE, folder / CONSOLE)
    (folder / "node_modules").symlink_to(REPOSITORY / "node_modules")
    return folder


@pytest.mark.parametrize("tool", FAULTS)
def test_a_fault_in_the_javascript_of_the_console_is_refused(console: Path, tool: str) -> None:
    # given a module with one fault
    planted = console / CONSOLE / "static" / "planted.js"
    planted.write_text(FAULTS[tool])
    try:
        # when the console is checked
        command = ["node", f"node_modules/.bin/{tool}", *ARGUMENTS[tool]]
        done = subprocess.run(command, cwd=console, capture_output=True, text=True, check=False)
    finally:
        planted.unlink()
    # then the tool names it
    assert done.returncode != 0
    assert "planted.js" in done.stdout + done.stderr


def test_no_module_of_the_tests_imports_aws_cdk(pytestconfig: pytest.Config) -> None:
    """It starts a process of Node, which each process of the tests would have; the test that needs it imports it."""
    assert not pytestconfig.stash[COLLECTED_WITH_CDK]
