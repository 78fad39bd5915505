"""The pytest plugin: a twin for each test that asks for one, and an offline stack for those that need it.

Whatever takes time to import is imported by the fixtures, so that tests without them pay nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import pytest

from background_jobs.testing.variables import replaced_variables, without_aws

if TYPE_CHECKING:
    from background_jobs.local_stack import LocalStack
    from background_jobs.orchestration_service.service import OrchestrationService
    from background_jobs.testing.twin import BackgroundJobs

_FILE: Final = "background_jobs_file"
_FORBID: Final = "background_jobs_forbid_aws"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings of the plugin."""
    parser.addini(_FILE, "The main of the jobs that `offline_stack` runs.", default="jobs.py")
    parser.addini(
        _FORBID,
        "Whether no test reaches AWS: all have credentials, a region and an endpoint that lead nowhere.",
        type="bool",
        default=False,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Keep all tests away from AWS, where the settings say so."""
    if config.getini(_FORBID):
        away = ExitStack()
        away.enter_context(without_aws())
        config.add_cleanup(away.close)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a test that has a twin and the offline stack, before anything of it is set up."""
    if {"background_jobs", "offline_service"} <= set(getattr(item, "fixturenames", ())):
        pytest.fail(
            "A test has a twin (background_jobs) or the offline stack (offline_service), for each stands "
            "for AWS: make two tests of it.",
            pytrace=False,
        )


@pytest.fixture
def background_jobs() -> "Iterator[Callable[..., BackgroundJobs]]":
    """Return what opens a twin, ``background_jobs([Double])``, which is closed when the test ends.

    Its arguments are those of `BackgroundJobs`. The test does not reach AWS.
    """
    from background_jobs.testing.refused_aws import refused_aws  # noqa: PLC0415 -- see above
    from background_jobs.testing.twin import BackgroundJobs  # noqa: PLC0415 -- the same

    with ExitStack() as opened:
        opened.enter_context(without_aws())
        opened.enter_context(refused_aws())

        def open_twin(*args: Any, **kwargs: Any) -> BackgroundJobs:  # noqa: ANN401 -- those of BackgroundJobs
            return opened.enter_context(BackgroundJobs(*args, **kwargs))

        yield open_twin


@pytest.fixture(scope="session")
def offline_stack(request: pytest.FixtureRequest) -> "Iterator[LocalStack]":
    """Return the offline stack of this session, which is started for the first test that asks for it."""
    from background_jobs.local_stack import LocalStack  # noqa: PLC0415 -- see above

    jobs = request.config.rootpath / str(request.config.getini(_FILE))
    if not jobs.is_file():
        raise pytest.UsageError(
            f"There is no {jobs}: name the main of your jobs with {_FILE}, in the configuration of pytest, "
            f"which is {request.config.inipath or 'not there yet'}."
        )
    with LocalStack(str(jobs)) as stack:
        yield stack


@pytest.fixture
def offline_service(offline_stack: "LocalStack") -> "Iterator[OrchestrationService]":
    """Return the service of the offline stack, in whose history nothing is of another test.

    What a test leaves is ended after it: orchestrations are cancelled, and schedules deleted. The variables
    of the process are those of its callers, so that code under test finds it, too. The test does not
    reach AWS.
    """
    from background_jobs.aws.clients import forget_clients  # noqa: PLC0415 -- see above
    from background_jobs.orchestration_service.service import OrchestrationService  # noqa: PLC0415 -- the same
    from background_jobs.testing.offline_reset import reset  # noqa: PLC0415 -- the same
    from background_jobs.testing.refused_aws import refused_aws  # noqa: PLC0415 -- the same

    variables = replaced_variables(offline_stack.variables, offline_stack.unwanted_variables)
    with variables, refused_aws():
        forget_clients()
        service = OrchestrationService()
        try:
            yield service
            reset(service, offline_stack.settings)
        finally:
            forget_clients()
