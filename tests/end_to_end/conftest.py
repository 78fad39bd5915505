"""One offline stack for all end-to-end tests, with this folder's jobs in its containers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from background_jobs import OrchestrationService
from background_jobs.aws import clients
from background_jobs.local_stack import LocalStack


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    with LocalStack(jobs=str(Path(__file__).with_name("jobs.py")), containers=2) as stack:
        yield stack


@pytest.fixture(autouse=True)
def environment(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name, value in stack.variables.items():
        monkeypatch.setenv(name, value)
    clients._client.cache_clear()


@pytest.fixture
def service() -> OrchestrationService:
    return OrchestrationService()
