"""One offline stack for all end-to-end tests, with this folder's jobs in its containers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from background_jobs.local_stack import LocalStack
from tests.offline import become_caller, service

__all__ = ["service"]

collect_ignore = ["careless_jobs.py"]
"""It takes up its share on import: that is what is careless in it."""


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    with LocalStack(jobs=str(Path(__file__).with_name("jobs.py")), containers=2) as stack:
        yield stack


@pytest.fixture(autouse=True)
def caller(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    become_caller(stack, monkeypatch)
