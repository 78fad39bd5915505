"""Params objects of several items, and totals over results: what callers of many short items write."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from background_jobs import batched
from background_jobs.core.outcomes import Success
from background_jobs.orchestration_service.job_results import Successes


@given(st.lists(st.integers()), st.integers(1, 50))
def test_every_item_is_in_one_batch_in_its_order_and_only_the_last_is_short(
    items: list[int], size: int
) -> None:
    batches = [params["ids"] for params in batched(items, size, "ids")]
    assert list(chain.from_iterable(batches)) == items
    assert [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    assert all(batches)


def test_items_are_read_only_as_far_as_batches_are() -> None:
    def endless() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    assert next(batched(endless(), 2, "ids", source="old")) == {"ids": [0, 1], "source": "old"}


@pytest.mark.parametrize(
    ("size", "others", "message"),
    [(0, {}, "size=0 must be 1 or more"), (2, {"ids": 1}, "'ids' is the param")],
)
def test_what_makes_no_batches_is_refused_at_once(size: int, others: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        batched([], size, "ids", **others)


OF_A_JOB: dict[str, Any] = {
    "orchestration_id": "o",
    "job_name": "count",
    "job_id": "j",
    "attempts": 1,
    "started_at": None,
    "ended_at": datetime(2026, 11, 27, tzinfo=UTC),
}


def successes(*results: object) -> Successes:
    return Successes(
        Success(index=index, params={}, result_json=result, **OF_A_JOB)
        for index, result in enumerate(results)
    )


def test_results_are_added_up_as_a_whole_or_by_a_field() -> None:
    assert successes(1, 2.5).total() == 3.5
    assert successes({"rows": 2}, {"rows": 3}).total("rows") == 5
    assert successes().total("rows") == 0


@pytest.mark.parametrize("result", [{"rows": "3"}, {}, "text", {"rows": True}, None])
def test_a_result_without_a_number_is_named_and_not_left_out(result: object) -> None:
    with pytest.raises(ValueError, match="The result of instance 1 has no number 'rows'"):
        successes({"rows": 2}, result).total("rows")
