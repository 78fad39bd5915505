"""Whether a failed attempt is followed by another, and when."""

import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from background_jobs.core.refused_values import InvalidRetry
from background_jobs.core.retry import GiveUp, Retry, RetryAfter, retry_delay, retry_in


class NotFoundError(LookupError):
    pass


@given(
    st.integers(1, 100),
    st.builds(
        Retry,
        base_seconds=st.floats(0, 1000),
        factor=st.floats(1, 100),
        max_seconds=st.floats(0, 86_400),
        jitter=st.sampled_from(["full", "none"]),
    ),
    st.floats(0, 1, exclude_max=True),
)
def test_a_wait_is_never_negative_nor_longer_than_the_longest(
    attempt: int, retry: Retry, draw: float
) -> None:
    assert 0 <= retry_delay(attempt, retry, draw=draw) <= retry.max_seconds


def test_waits_grow_by_the_factor_up_to_the_longest_and_jitter_takes_a_part() -> None:
    retry = Retry(max_attempts=9, base_seconds=timedelta(seconds=2), factor=3, max_seconds=50, jitter="none")
    assert [retry_delay(attempt, retry, draw=0.5) for attempt in (1, 2, 3, 4, 9)] == [2, 6, 18, 50, 50]
    assert retry_delay(3, retry.model_copy(update={"jitter": "full"}), draw=0.5) == 9


def test_a_first_wait_is_cut_to_the_longest_one() -> None:
    retry = Retry(base_seconds=timedelta(minutes=10), jitter="none")
    assert [retry_delay(attempt, retry, draw=0) for attempt in (1, 2)] == [300, 300]


@pytest.mark.parametrize("given", [{"base_seconds": 600}, {"base_seconds": 600, "max_seconds": 300}])
def test_what_is_stored_without_its_defaults_is_read_as_it_was(given: dict[str, float]) -> None:
    """As in the input of a schedule."""
    retry = Retry.model_validate(given)
    assert Retry.model_validate_json(retry.model_dump_json(exclude_defaults=True)) == retry


def test_every_attempt_counts_whatever_its_error() -> None:
    retry = Retry(max_attempts=3, jitter="none")
    assert retry_in(ValueError(), 2, retry, draw=0) == 2
    assert retry_in(ValueError(), 3, retry, draw=0) is None
    assert retry_in(RetryAfter(5), 3, retry, draw=0) is None


@pytest.mark.parametrize(
    ("options", "error", "again"),
    [
        ({}, NotFoundError(), True),
        ({}, SystemExit(1), False),
        ({"retry_on": (LookupError,)}, NotFoundError(), True),
        ({"retry_on": LookupError}, ValueError(), False),
        ({"retry_on": ("LookupError", "OSError")}, TimeoutError(), True),
        ({"give_up_on": (NotFoundError,)}, NotFoundError(), False),
        ({"give_up_on": (NotFoundError,)}, KeyError(), True),
        ({"retry_on": "ValueError"}, RetryAfter(1), True),
        ({}, GiveUp("no such customer"), False),
    ],
)
def test_which_errors_are_tried_again(options: dict[str, Any], error: BaseException, *, again: bool) -> None:
    assert (retry_in(error, 1, Retry(**options), draw=0) is not None) == again


def test_a_job_may_set_the_wait_before_its_next_attempt() -> None:
    assert retry_in(RetryAfter(timedelta(minutes=2)), 1, Retry(max_seconds=1), draw=0) == 120


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1_764_158_400, 1_764_158_400_000.0, 86_401])
def test_a_wait_that_is_longer_than_a_day_is_no_wait_and_the_error_says_so(seconds: float) -> None:
    """A server's Retry-After may be a time; waiting for it would take decades."""
    error = RetryAfter(seconds)
    assert retry_in(error, 1, Retry(), draw=0) is None
    assert f"RetryAfter({seconds!r})" in str(error)
    assert "up to a day" in str(error)


@pytest.mark.parametrize("seconds", [datetime(2026, 11, 24, tzinfo=UTC), "soon", None, 10**400])
def test_what_is_no_wait_gives_the_instance_up_and_the_error_says_so(seconds: Any) -> None:
    error = RetryAfter(seconds)
    assert retry_in(error, 1, Retry(), draw=0) is None
    assert "give it the seconds from now, not a time" in str(error)


@pytest.mark.parametrize(
    ("seconds", "wait"), [(-5, 0), (0, 0), (86_400, 86_400), (timedelta(days=1), 86_400)]
)
def test_a_wait_of_up_to_a_day_is_kept_and_the_past_is_now(seconds: float | timedelta, wait: float) -> None:
    assert retry_in(RetryAfter(seconds), 1, Retry(), draw=0) == wait


@pytest.mark.parametrize(
    "error", [RetryAfter(5), RetryAfter(timedelta(minutes=2)), GiveUp("no such customer")]
)
def test_what_a_job_raises_in_a_pool_of_processes_reaches_the_job(error: Exception) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), vars(copy), str(copy)) == (type(error), vars(error), str(error))


@pytest.mark.parametrize(
    "options",
    [
        {"max_attempts": 0},
        {"max_attempts": 101},
        {"base_seconds": -1},
        {"base_seconds": float("nan")},
        {"factor": 0.5},
        {"max_seconds": timedelta(days=2)},
        {"jitter": "some"},
        {"attempts": 3},
    ],
)
def test_absurd_settings_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRetry):
        Retry(**options)


def test_a_retry_survives_the_event_that_carries_it() -> None:
    """Exceptions are given as classes, and the event log has their names."""
    retry = Retry(max_attempts=4, retry_on=(NotFoundError, OSError))
    assert Retry.model_validate_json(retry.model_dump_json()) == retry
    assert retry.retry_on == (f"{__name__}.NotFoundError", "OSError")
