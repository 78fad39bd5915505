"""The job in the process of its test, on AWS in memory and virtual time."""

from collections.abc import Callable

from background_jobs.testing import BackgroundJobs
from jobs import Batch, add_up


def test_amounts_are_added_up_and_bad_params_fail_alone(
    background_jobs: Callable[..., BackgroundJobs],
) -> None:
    # given two customers, one of them without amounts
    jobs = background_jobs([add_up])
    params = [Batch(customer="acme", amounts=[1, 2]).model_dump(), {"customer": "broken"}]
    # when the job runs for both
    successes, failures = jobs.service.kick_off_job("add_up", params).results()
    # then one has its total, and the other says what is missing
    assert [success.result for success in successes] == [{"customer": "acme", "total": 3}]
    assert failures is not None
    assert [failure.params["customer"] for failure in failures] == ["broken"]
