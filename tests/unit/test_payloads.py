"""Params and results as JSON: what is accepted, and what is refused and why."""

import json
import math
from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel

from background_jobs.core.blocks import Block, InstanceRange, cut_bodies
from background_jobs.core.errors import InvalidParams, InvalidResult
from background_jobs.core.limits import INSTANCE_PARAMS_BYTES, JSON_DEPTH
from background_jobs.core.payloads import params_line, result_document
from tests.unit.histories import job_completed


class Batch(BaseModel):
    day: date


def test_params_become_one_line_of_json() -> None:
    assert params_line(0, {"text": "zeile\neins ü"}) == '{"text":"zeile\\neins ü"}\n'.encode()
    assert json.loads(params_line(0, Batch(day=date(2026, 11, 24)))) == {"day": "2026-11-24"}


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ([1], "JSON object"),
        ("text", "JSON object"),
        (None, "JSON object"),
        ({1: "a"}, "str keys"),
        ({"at": date(2026, 1, 1)}, "not JSON serializable"),
        ({"x": math.nan}, "not JSON compliant"),
        ({"text": "\ud800"}, "surrogates"),
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


@pytest.mark.parametrize("result", [object(), math.inf, {"f": print}])
def test_results_that_json_cannot_hold_are_refused(result: object) -> None:
    with pytest.raises(InvalidResult, match="cannot be written as JSON"):
        result_document(result)


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
