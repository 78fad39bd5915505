"""The job on the offline stack: what is deployed, on this machine, without Docker and without AWS."""

from collections.abc import Iterator

import pytest

from background_jobs import OrchestrationService
from background_jobs.local_stack import LocalStack


@pytest.fixture(scope="session")
def service() -> Iterator[OrchestrationService]:
    with LocalStack("jobs.py", containers=2) as stack, pytest.MonkeyPatch.context() as environment:
        for name in stack.unwanted_variables:  # such as AWS_PROFILE, which would lead elsewhere
            environment.delenv(name)
        for name, value in stack.variables.items():
            environment.setenv(name, value)
        yield OrchestrationService()


def test_amounts_are_added_up_and_bad_params_fail_alone(service: OrchestrationService) -> None:
    # given two customers, one of them without amounts
    params = [{"customer": "acme", "amounts": [1, 2]}, {"customer": "broken"}]
    # when the job runs for both
    successes, failures = service.kick_off_job("add_up", params).results(timeout=120)
    # then one has its total, and the other says what is missing
    assert [success.result for success in successes] == [{"customer": "acme", "total": 3}]
    assert failures is not None
    assert [failure.params["customer"] for failure in failures] == ["broken"]
