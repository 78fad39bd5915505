"""What follows an orchestration: where the params of the next stage come from."""

import math
import re
from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from background_jobs import Retry, Stage, job_name
from background_jobs.core.errors import InvalidParams
from background_jobs.core.limits import INSTANCE_PARAMS_BYTES
from background_jobs.core.payloads import params_line
from background_jobs.core.refused_values import InvalidStage
from background_jobs.core.stages import MissingReference, NoItems, ParamsTooLarge


def follow(template: Any, result: Any) -> list[dict[str, Any]]:
    stage = Stage("next", template)
    return list(stage.params_after(result=result, params={"customer": "acme"}, index=7, job_id="id-7"))


def after(template: Any, result: Any) -> dict[str, Any]:
    (params,) = follow(template, result)
    return params


def test_results_are_the_params_and_what_is_no_object_is_wrapped() -> None:
    assert after("results", {"path": "a"}) == {"path": "a"}
    assert after("results", [1, 2]) == {"result": [1, 2]}
    assert after("results", None) == {"result": None}


def test_references_in_a_mapping_are_filled_at_any_depth() -> None:
    template = {
        "where": "$result.file.path",
        "all": ["$params.customer", {"index": "$index"}],
        "id": "$job_id",
        "mode": "fast",
        "price": "$$5",
        "everything": "$result",
    }
    assert after(template, {"file": {"path": "a.csv"}}) == {
        "where": "a.csv",
        "all": ["acme", {"index": 7}],
        "id": "id-7",
        "mode": "fast",
        "price": "$5",
        "everything": {"file": {"path": "a.csv"}},
    }


def test_all_results_are_lists_in_the_places_that_name_them() -> None:
    # given a stage that takes a field of all results twice, and the whole of them
    template = {
        "a": {"b": ["$results.file.path"]},
        "all": "$results",
        "again": "$results.file.path",
        "x": "$$5",
    }
    gathered = Stage("total", template).all_results()
    assert gathered is not None
    # when there are two
    for index, path in enumerate("xy"):
        gathered.add({"file": {"path": path}}, index)
    # then it has the one or the other in each place
    assert gathered.params() == {
        "a": {"b": [["x", "y"]]},
        "all": [{"file": {"path": "x"}}, {"file": {"path": "y"}}],
        "again": ["x", "y"],
        "x": "$5",
    }


def test_all_results_may_be_as_large_as_params_in_whatever_script() -> None:
    gathered = Stage("total", {"all": "$results"}).all_results()
    assert gathered is not None
    gathered.add("\u20ac" * 340_000, 0)
    assert len(params_line(0, gathered.params())) < INSTANCE_PARAMS_BYTES
    with pytest.raises(ParamsTooLarge):
        gathered.add("\u20ac" * 10_000, 1)


@pytest.mark.parametrize("params", ["results", {"a": "$result"}, {"a": "$$results"}, {}, [{"a": "$results"}]])
def test_other_params_take_no_results_of_all(params: Any) -> None:
    assert Stage("total", params).all_results() is None


def test_each_item_of_a_result_has_an_instance() -> None:
    assert follow("items", [{"n": 1}, 2, [3]]) == [{"n": 1}, {"result": 2}, {"result": [3]}]
    template = {"at": ["$item.path"], "of": "$params.customer", "whole": "$item", "first": "$index"}
    assert follow(template, [{"path": "a"}, {"path": "b"}]) == [
        {"at": ["a"], "of": "acme", "whole": {"path": "a"}, "first": 7},
        {"at": ["b"], "of": "acme", "whole": {"path": "b"}, "first": 7},
    ]
    assert follow("items", []) == []


@pytest.mark.parametrize(("result", "what"), [({"n": 1}, "dict"), (None, "None"), ("ab", "str")])
def test_a_result_that_is_no_list_has_no_items(result: Any, what: str) -> None:
    with pytest.raises(NoItems, match=f"instance 7 of the stage before is .*{what}.*, not a list"):
        follow("items", result)


def test_a_reference_that_a_result_lacks_is_refused_with_the_instance() -> None:
    with pytest.raises(MissingReference, match=r"Instance 7 .* has no \$result\.path"):
        after({"where": "$result.path"}, {"file": 1})


@pytest.mark.parametrize(
    "fields",
    [
        {"params": {"a": "$reslt.path"}},
        {"params": {"a": ["$result."]}},
        {"params": {"a": "$results."}},
        {"params": {"a": "$resultss"}},
        {"params": {"a": "$items"}},
        {"params": {"a": "$item", "b": "$results"}},
        {"params": {"all": "$results", "b": {"one": "$result.n"}}},
        {"params": {"all": ["$results.n"], "b": "$index"}},
        {"params": "everything"},
        {"params": [1, 2]},
        {"on_failure": "ignore"},
        {"parallelism": 0},
        {"timeout": timedelta(days=8)},
        {"job_name": ""},
        {"parallel": 3},
    ],
)
def test_a_stage_that_cannot_be_is_refused_when_it_is_written(fields: dict[str, Any]) -> None:
    with pytest.raises((InvalidStage, TypeError)):
        Stage(**{"job_name": "transform", **fields})


@job_name("mail", aliases=["send"])
def mail(params: dict[str, str]) -> None: ...


@job_name("archive")
class Archive:
    def run(self, params: dict[str, str]) -> None: ...


@pytest.mark.parametrize(("job", "name"), [(mail, "mail"), (Archive, "archive"), ("load", "load")])
def test_a_stage_takes_the_job_itself_or_its_name(job: Any, name: str) -> None:
    assert Stage(job) == Stage(job_name=job) == Stage(name)


def test_a_stage_reads_back_from_its_json_with_everything_that_follows() -> None:
    adapter = TypeAdapter(Stage)
    stage = Stage(
        "transform",
        params={"path": "$result"},
        retry=Retry(max_attempts=2),
        timeout=timedelta(minutes=5),
        then=Stage("load", params=[{"n": 1}], on_failure="continue", timeout=90),
    )
    assert adapter.validate_json(adapter.dump_json(stage)) == stage
    assert stage.depth == 2


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_params_that_json_cannot_hold_are_refused_in_the_words_of_a_kick_off(number: float) -> None:
    with pytest.raises(InvalidParams) as refused:
        params_line(0, {"n": number})
    words = refused.value.reason.rpartition(": ")[2].rstrip(".")
    with pytest.raises(InvalidStage, match=re.escape(words)):
        Stage("load", params=[{"n": number}])
