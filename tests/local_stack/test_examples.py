"""The examples, each by the command of its README, at a smaller size."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "examples"


def command_of(example: str) -> list[str]:
    """Return the one command of the README, with this environment's programs."""
    (line,) = re.findall(r"```\n(background-jobs .*)\n```", (EXAMPLES / example / "README.md").read_text())
    programs = {
        "background-jobs": str(Path(sys.executable).with_name("background-jobs")),
        "python": sys.executable,
    }
    return [programs.get(word, word) for word in shlex.split(line)]


def run(example: str, *options: str) -> list[str]:
    done = subprocess.run(
        [*command_of(example), *options], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_records_are_migrated_by_many_workers() -> None:
    *_, moved, written = run("data_migration", "--records", "600", "--workers", "12")
    assert re.fullmatch(r".*600 records moved by \d+ workers", moved)
    assert written == "0 batches failed, 600 files written"


def test_thousands_of_products_are_updated_and_added_up() -> None:
    # given 1,000 products at 0 to 4.99, twice, of which those below 34 cents are too low for three percent
    raised, unchanged = run("bulk_update", "--products", "1000")
    cents = 2 * sum(number * 3 // 100 for number in range(500))
    assert raised == f"932 prices raised by {cents / 100:.2f} in all"
    assert unchanged == "68 are too low to rise, 0 batches failed"


def test_what_failed_of_a_clean_up_runs_again_and_both_are_one_result() -> None:
    # given 400 folders, of which two in different batches are under a hold
    first, digest, cause, merged, left = run("clean_up", "--folders", "400")
    assert first.endswith("2 batches failed")
    assert digest == "2 failures, 1 cause"
    assert "2 of " in cause
    assert merged.endswith("with the rerun, 0 batches failed")
    assert left == "0 files left"


def test_a_pipeline_runs_stage_by_stage_and_another_services_function_follows() -> None:
    lines = run("order_pipeline", "--days", "4")
    assert lines == [
        "1. extract: 4 completed",
        "2. price: 4 completed",
        "3. invoice: 4 completed",
        "shipped to acme: 4 parcels",
    ]
