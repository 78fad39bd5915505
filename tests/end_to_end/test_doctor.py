"""The offline stack, examined."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from background_jobs.local_stack import LocalStack
from tests.local_stack import shells

JOBS = Path(__file__).with_name("jobs.py")


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """A stack of its own, in which no other test has left anything."""
    with LocalStack(jobs=str(JOBS), containers=1) as stack:
        yield stack


def examine() -> tuple[int, list[dict[str, Any]]]:
    """Return the exit status, and what was found."""
    done = shells.run(Path.cwd(), dict(os.environ), "doctor", "--json")
    assert not done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_all_is_well_in_the_offline_stack_or_not_here() -> None:
    status, found = examine()
    assert [finding for finding in found if finding["level"] not in {"ok", "not here"}] == []
    assert status == 0
    assert {finding["area"] for finding in found if finding["level"] == "not here"} == {
        "Permissions",
        "Services",
        "Quotas",
        "Alarms",
    }


def test_a_mapping_that_somebody_disabled_is_found() -> None:
    functions = boto3.Session().client("lambda")
    mapping = functions.list_event_source_mappings()["EventSourceMappings"][0]["UUID"]
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    try:
        status, found = examine()
    finally:
        functions.update_event_source_mapping(UUID=mapping, Enabled=True)
    (told,) = [finding for finding in found if finding["level"] == "problem"]
    assert (status, told["area"]) == (4, "Functions")
