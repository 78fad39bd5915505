"""What can be imported from the package, and what importing it costs."""

import subprocess
import sys

import pytest

import background_jobs
from background_jobs import aio, public


def test_every_public_name_can_be_imported_and_is_listed() -> None:
    for name in public.__all__:
        assert getattr(background_jobs, name) is getattr(public, name)
    assert set(public.__all__) <= set(dir(background_jobs))


def test_a_name_that_is_not_public_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'background_jobs' has no attribute 'Orchestrations'"):
        _ = background_jobs.Orchestrations  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        ("import background_jobs", "pydantic boto3 rich"),
        ("import background_jobs.cli.main", "pydantic boto3 rich psutil"),
        ("from background_jobs import OrchestrationService", "boto3 rich"),
    ],
)
def test_what_is_not_needed_yet_is_not_imported(statement: str, heavy: str) -> None:
    """Every command, and every completion of a word, waits for what is imported."""
    code = f"import sys; {statement}; print(*set(sys.modules).intersection({heavy.split()!r}))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "\n"


@pytest.mark.parametrize("name", aio.__all__)
def test_the_asynchronous_twin_has_every_method_and_its_docstring(name: str) -> None:
    # what drivers and functions of the stack use
    internal = {"steps", "occurrence_runner"}
    methods = {method for method in dir(getattr(public, name)) if not method.startswith("_")} - internal
    twin = getattr(aio, name)
    assert {
        method for method in methods if not getattr(getattr(twin, method, None), "__doc__", None)
    } == set()
