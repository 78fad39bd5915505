"""What all tests share.

Properties are tried without a clock, for a shared machine may be slow. Ctrl-C works in the processes that tests
start, though a shell ignores it for what it runs in the background. What libraries want done at the end of the
tests is not done in a process that a test forks.

Several processes run the tests. A file is run by one of them, for its tests share a stack; folders whose tests
share more are run by one as well, and what takes long begins first.
"""

import atexit
import gc
import os
import signal
import sys
from collections.abc import Generator
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")
signal.signal(signal.SIGINT, signal.default_int_handler)
os.register_at_fork(after_in_child=atexit._clear)

RUN_BY_ONE_PROCESS: Final = ("tests/console/", "tests/infrastructure/")
"""They share a browser, and what the CDK has synthesized."""
BEGUN_FIRST: Final = (
    "tests/console/",
    "tests/infrastructure/",
    "tests/adoption/",
    "tests/end_to_end/test_warm_workers.py",
    "tests/local_stack/test_commands.py",
    "tests/clients/",
    "tests/testing/",
    "tests/chaos/",  # not beside the console: it takes all processors
    "tests/end_to_end/",
    "tests/local_stack/",
)

_OBJECTS_BETWEEN_COLLECTIONS: Final = 50_000
"""Python's own 700 takes up to a tenth of the time of the tests of AWS in memory."""
COLLECTED_WITH_CDK: Final = pytest.StashKey[bool]()
"""Whether a module of the tests imports aws_cdk, which starts a process of Node."""


class _ByFile(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Give a process whole files, or folders."""

    def _split_scope(self, nodeid: str) -> str:
        folder = next(filter(nodeid.startswith, RUN_BY_ONE_PROCESS), None)
        return folder or nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _ByFile(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Spare the garbage collector what stays anyway: some hundred thousand objects, at each of its full runs."""
    gc.disable()
    try:
        return (yield)
    finally:
        session.config.stash[COLLECTED_WITH_CDK] = "aws_cdk" in sys.modules
        gc.collect()
        gc.freeze()
        gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next(
            (n for n, begun in enumerate(BEGUN_FIRST) if item.nodeid.startswith(begun)), len(BEGUN_FIRST)
        )

    items.sort(key=place)
