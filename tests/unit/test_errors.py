"""Errors cross the borders of processes: pools, task queues and parallel tests pickle what a caller raises."""

import copy
import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import background_jobs
from background_jobs import BackgroundJobsError
from background_jobs.cdk.node import use_bundled_node
from background_jobs.core.blocks import Block, InstanceRange
from background_jobs.core.errors import UnknownJobName
from background_jobs.core.events import JobError
from background_jobs.core.outcomes import Failure
from background_jobs.core.read_model import Summary
from background_jobs.orchestration_service.deadlines import Deadline
from tests.unit.histories import ORCHESTRATION_ID, at

INSTANCES = InstanceRange("default", ORCHESTRATION_ID, 0, 9)
VALUES = {
    "str": "a text",
    "int": 3,
    "Path": Path("notes/stack.json"),
    "OSError": PermissionError(13, "Permission denied"),
    "Iterable[str]": ("a", "b"),
    "Mapping[str, object]": {"source": "somebody else"},
    "Mapping[str, str]": {"ops": "it answered 500"},
    "InstanceRange": INSTANCES,
    "Block": Block(INSTANCES, 2, 1, "launch 1"),
    "Failure": Failure(
        orchestration_id=ORCHESTRATION_ID,
        job_name="count",
        job_id="",
        index=3,
        params={"n": 1},
        attempts=1,
        started_at=None,
        ended_at=at(1),
        error=JobError(type="ValueError", message="no"),
        failed_attempts=(),
        log="",
    ),
}
"""A value for each type that an error is made of."""


def every_kind(*left_out: str) -> list[type[BackgroundJobsError]]:
    """Return the kinds of errors in all modules but those below the packages that are *left_out*."""
    for module in pkgutil.walk_packages(background_jobs.__path__, "background_jobs."):
        if not module.name.startswith((*left_out, "background_jobs.local_stack.lambdas")) and not (
            module.name.endswith("__main__")
        ):
            importlib.import_module(module.name)
    kinds, found = [BackgroundJobsError], []
    while kinds:
        found.append(kinds.pop())
        kinds += found[-1].__subclasses__()
    return [kind for kind in found if kind.__module__.startswith("background_jobs.")]


KINDS = every_kind("background_jobs.cdk.")
"""Whoever collects the tests does not wait for aws_cdk."""


def make(kind: type[BackgroundJobsError]) -> BackgroundJobsError:
    if kind.__init__ is Exception.__init__:
        return kind("A sentence.")
    parameters = inspect.signature(kind).parameters.values()
    types = (inspect.formatannotation(parameter.annotation).rpartition(".")[2] for parameter in parameters)
    return kind(*(VALUES[name] for name in types))


def pickled(error: Any) -> Any:
    return pickle.loads(pickle.dumps(error))


@pytest.mark.parametrize("again", [pickled, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_survives_pickle_and_copy(
    kind: type[BackgroundJobsError], again: Callable[[Any], Any]
) -> None:
    error = make(kind)
    error.add_note("while it was tried")
    other = again(error)
    assert type(other) is kind
    assert (str(other), other.args, vars(other)) == (str(error), error.args, vars(error))


def test_the_stack_adds_no_kind() -> None:
    use_bundled_node()
    assert set(every_kind()) == set(KINDS)


def test_an_error_of_the_callers_that_is_derived_from_ours_survives_too() -> None:
    error = pickled(Misspelled("cuont"))
    assert (error.job_name, error.known, str(error)) == ("cuont", ("count",), str(Misspelled("cuont")))


class Misspelled(UnknownJobName):
    def __init__(self, name: str) -> None:
        super().__init__(name, ["count"])


def test_the_timeout_of_a_wait_survives_pickle() -> None:
    with pytest.raises(TimeoutError) as late:
        Deadline.after(0, ORCHESTRATION_ID).check(Summary(orchestration_id=ORCHESTRATION_ID))
    assert str(pickled(late.value)) == str(late.value)
