"""Params and results as JSON: what is accepted, and what is refused and why."""

import json
import math
from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import Any
from unittest.mock import MagicMock

import pytest
from pydantic import BaseModel, Field, PrivateAttr, SecretStr

from background_jobs.core.blocks import Block, InstanceRange, cut_bodies
from background_jobs.core.errors import InvalidParams, InvalidResult
from background_jobs.core.limits import INSTANCE_PARAMS_BYTES, JSON_DEPTH
from background_jobs.core.payloads import params_line, result_document
from tests.unit.histories import job_completed


class Batch(BaseModel):
    day: date


class Untyped(BaseModel):
    of: Any
    hidden: Any = Field(default=None, exclude=True)
    _private: Any = PrivateAttr(default_factory=lambda: {1: math.nan, "1": object()})


@dataclass
class Row:
    prices: dict[Any, Any]


class Unshowable:
    def __repr__(self) -> str:
        raise OSError("no")


class Incomparable(dict[str, int]):
    def __eq__(self, other: object) -> bool:
        raise OSError("no")

    __hash__ = None


class Unreadable(dict[str, int]):
    def items(self) -> Any:
        raise OSError("no rows")


def test_params_become_one_line_of_json() -> None:
    assert params_line(0, {"text": "zeile\neins ü"}) == '{"text":"zeile\\neins ü"}\n'.encode()


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ([1], "JSON object"),
        ("text", "JSON object"),
        (None, "JSON object"),
        ({1: "a"}, "str keys"),
        ({"at": date(2026, 1, 1)}, "`at`: .*not JSON serializable"),
        ({"items": [{"price": 1}, {"price": math.nan}]}, r"`items\[1\].price`: .*not JSON compliant"),
        ({"two words": [10**5000]}, r"`\['two words'\]\[0\]`: Exceeds the limit"),
        ({"by id": {1: "a"}}, r"the key 1 \(int\) is no text"),
        (Unreadable(a=1), "cannot be written as JSON: no rows"),
        ({"rows": Unreadable(a=1)}, "cannot be written as JSON: .*no rows"),
        ({"pairs": [{(1, 2): "a"}]}, r"`pairs\[0\]`: keys must be"),
        ({"text": "\ud800"}, "`text`: .*surrogates"),
        ({"text": ["a", {"\ud800": 1}]}, r"`text\[1\]`: .*surrogates"),
        (Unshowable(), r"not an object \(Unshowable\)"),
        ({"one": Unshowable()}, "`one`: .*Unshowable is not JSON serializable"),
        ({"text": "x" * INSTANCE_PARAMS_BYTES}, "1,048,576 is the most"),
        ({"tree": json.loads("[" * JSON_DEPTH + "]" * JSON_DEPTH)}, "deeper than 100 levels"),
    ],
)
def test_params_that_cannot_travel_are_refused_with_their_index(params: Any, reason: str) -> None:
    with pytest.raises(InvalidParams, match=f"(?s)index 7 .*{reason}"):
        params_line(7, params)


def test_params_that_hold_themselves_are_refused() -> None:
    params: dict[str, Any] = {}
    params["self"] = params
    with pytest.raises(InvalidParams, match="Circular"):
        params_line(0, params)


def test_results_may_be_models_and_dates() -> None:
    plain, document = result_document([Batch(day=date(2026, 11, 24))])
    assert plain == [{"day": "2026-11-24"}]
    assert json.loads(document) == plain


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (object(), "cannot be written as JSON: Unable to serialize unknown type"),
        (Unshowable(), r"an object \(Unshowable\), cannot be written as JSON"),
        (math.inf, "not JSON compliant"),
        ({"f": print}, "`f`: Unable to serialize unknown type"),
        ([{"rows": (1, b"\xff")}], r"`\[0\].rows\[1\]`: 'utf-8' codec"),
        ({"n": [1, -(10**5000)]}, r"`n\[1\]`: Exceeds the limit"),
        ({"text": ["\ud800"]}, r"`text\[0\]`: .*surrogates"),
        (Row({"a": math.nan}), "`prices.a`: .*not JSON compliant"),
        ([Untyped(of=[1, math.nan])], r"`\[0\].of\[1\]`: nan is no number"),
        ({1: "a", "1": "b"}, r"the keys 1 \(int\) and '1' \(str\) are the same in JSON"),
        ([Untyped(of={None: 1, "None": 2})], r"`\[0\].of`: the keys None .*are the same"),
        (Row({(1, 2): 1, "1,2": 2}), "`prices`: the keys .*are the same"),
        (({1: "a", "1": "b"} for _ in range(1)), "is refused: it is an iterator"),
        ({"rows": [iter([1])]}, r"`rows\[0\]`: it is an iterator"),
        (Row({"a": map(str, [1])}), "`prices.a`: it is an iterator, .* make a list of it"),
        (MagicMock(), "it is an iterator"),
        (count(), "it is an iterator"),
    ],
)
def test_results_that_json_cannot_hold_are_refused_with_the_place(result: object, reason: str) -> None:
    with pytest.raises(InvalidResult, match=f"(?s){reason}"):
        result_document(result)


@pytest.mark.parametrize(
    ("result", "written"),
    [
        ((1, {2: date(2026, 1, 1)}), [1, {"2": "2026-01-01"}]),
        (Untyped(of={Row({1: 0.5}).prices[1]}, hidden=math.nan), {"of": [0.5]}),
        ([Row({"a": None})], [{"prices": {"a": None}}]),
        (Incomparable(n=1), {"n": 1}),
        (
            {"day": Batch(day=date(2026, 1, 1)), "by": {"x": SecretStr("y")}},
            {"day": {"day": "2026-01-01"}, "by": {"x": "**********"}},
        ),
    ],
)
def test_results_are_written_as_pydantic_writes_them(result: object, written: object) -> None:
    assert json.loads(result_document(result)[1]) == written


def test_a_result_that_is_nested_too_deep_is_refused_and_the_deepest_that_is_not_can_be_read_back() -> None:
    deepest = json.loads("[" * JSON_DEPTH + "]" * JSON_DEPTH)
    broad: list[list[int]] = [[]] * 1_000
    with pytest.raises(InvalidResult, match="deeper than 100 levels"):
        result_document([deepest])
    for result in (deepest, broad):
        plain, _ = result_document(result)
        event = job_completed(3, result=plain)
        (body,) = cut_bodies([event])
        (read,) = Block(InstanceRange("billing", event.orchestration_id, 0, 9), 0, 0, "me", body).events()
        assert read == event
