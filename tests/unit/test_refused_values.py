"""What is said of refused values: in our words, without those of pydantic."""

from collections.abc import Callable

import pytest
from pydantic import BaseModel, Field, ValidationError

from background_jobs import Retry
from background_jobs.core.errors import InvalidKickOff, InvalidParams
from background_jobs.core.options import KickOffOptions, read_options
from background_jobs.core.refused_values import InvalidRetry, InvalidStage
from background_jobs.core.stages import Stage
from background_jobs.core.typed_params import ParamsType, write_params

PYDANTICS = ("validation error", "pydantic.dev", "Input should", "Field required", "Extra inputs", "type=")


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (
            lambda: Retry(max_attempts=0),
            InvalidRetry,
            "Retry was refused: max_attempts=0 must be at least 1.",
        ),
        (lambda: Retry(jitter="x"), InvalidRetry, "jitter='x' must be 'full' or 'none'"),
        (lambda: Retry(tries=1), InvalidRetry, "tries is not known"),  # type: ignore[call-arg]
        (lambda: Stage(""), InvalidStage, "must have at least 1 characters"),
        (lambda: Stage("a", parallelism=0), InvalidStage, "parallelism=0 must be at least 1"),
        (lambda: Stage("a", timeout=-1), InvalidStage, "timeout=-1 must be more than 0"),
        (lambda: Stage("a", params={"x": "$no"}), InvalidStage, "params: '$no' refers to nothing"),
        (lambda: Stage(print), InvalidStage, "is not a job: decorate it with @job_name('...')"),
        (lambda: Stage(3), InvalidStage, "job_name=3 must be text"),  # type: ignore[arg-type]
        (Stage, InvalidStage, "job_name is missing"),
    ],
)
def test_a_retry_or_a_stage_of_refused_values_says_what_they_must_be(
    make: Callable[[], object], error: type[ValueError], sentence: str
) -> None:
    with pytest.raises(error) as refused:
        make()
    assert sentence in str(refused.value)
    assert not any(words in str(refused.value) for words in PYDANTICS)


def test_an_option_is_refused_in_the_same_words() -> None:
    with pytest.raises(InvalidKickOff, match=r"^retry.max_attempts=0 must be at least 1\.$"):
        read_options(KickOffOptions, {"retry": {"max_attempts": 0}})


class Order(BaseModel):
    number: int = Field(gt=0)
    lines: list[str]


def test_params_that_do_not_fit_their_job_are_refused_in_the_same_words() -> None:
    orders = ParamsType.of_class(Order)
    with pytest.raises(InvalidParams) as refused:
        write_params(3, {"number": "many", "lines": [1]}, orders)
    assert "number='many' must be a whole number; lines.0=1 must be text." in str(refused.value)
    assert not any(words in str(refused.value) for words in PYDANTICS)


def test_a_retry_within_something_else_is_still_located_there() -> None:
    class Holder(BaseModel):
        retry: Retry

    with pytest.raises(ValidationError) as refused:
        Holder.model_validate({"retry": {"max_attempts": 0}})
    assert refused.value.errors()[0]["loc"] == ("retry", "max_attempts")
