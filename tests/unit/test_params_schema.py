"""Params and the JSON Schema that their job publishes."""

import json
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, SkipValidation, TypeAdapter

from background_jobs import Retry, job_name
from background_jobs.core.params_schema import Misfit, Schema, read_text
from background_jobs.core.params_schema import find_misfits as find_misfits_of_all
from background_jobs.jobs import find_definition
from background_jobs.worker.main import run_e11_job


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class Item(BaseModel):
    sku: str
    price: float = Field(gt=0)


class Order(BaseModel):
    customer: str
    copies: int = 1
    due: date | None = None
    size: Size = Size.SMALL
    rush: bool = False
    items: list[Item] = []
    mode: Literal["dry", "wet"] = "dry"
    either: int | str = 0


@job_name("order", retry=Retry(max_attempts=4), timeout=90, concurrency=2)
class ProcessOrder:
    """Process an order,
    and bill it.

    What follows is for those who read the code.
    """

    def run(self, params: Order) -> None: ...


@job_name("plain")
def plain(params: dict[str, Any]) -> None: ...


def find_misfits(schema: Schema, params: object) -> list[Misfit]:
    (misfits,) = find_misfits_of_all(schema, [params])
    return misfits


SCHEMA: dict[str, Any] = find_definition(ProcessOrder).describe().params_schema or {}


def test_an_image_tells_the_schema_the_docs_and_the_defaults_of_its_jobs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BACKGROUND_JOBS_DESCRIBE", "1")

    run_e11_job([ProcessOrder, plain])

    told = json.loads(capsys.readouterr().out)
    order, other = told["jobs"]
    assert told["job_names"] == ["order", "plain"]
    assert order["description"] == "Process an order, and bill it."
    assert (order["retry"]["max_attempts"], order["timeout_seconds"], order["concurrency"]) == (4, 90, 2)
    assert order["params_schema"]["required"] == ["customer"]
    assert other["params_schema"]["type"] == "object"


def test_a_type_that_has_no_schema_is_told_without_one() -> None:
    """Its jobs run all the same, and a form takes any JSON for it."""

    class Unknown:
        pass

    class Params(BaseModel, arbitrary_types_allowed=True):
        callback: Annotated[Unknown, Field(default_factory=Unknown)]
        skipped: SkipValidation[Any] = None

    @job_name("odd")
    def odd(params: Params) -> None: ...

    odd.__annotations__["params"] = Params
    described = find_definition(odd).describe()
    assert (described.name, described.params_schema) == ("odd", None)


@pytest.mark.parametrize(
    ("params", "misfit"),
    [
        ({}, Misfit("customer", "is required")),
        ({"customer": 3}, Misfit("customer", "must be text, not 3")),
        ({"customer": "a", "copies": "3"}, Misfit("copies", 'must be a whole number, not "3"')),
        ({"customer": "a", "rush": "yes"}, Misfit("rush", 'must be true or false, not "yes"')),
        ({"customer": "a", "size": "huge"}, Misfit("size", 'must be one of "small", "large", not "huge"')),
        ({"customer": "a", "due": 5}, Misfit("due", "must be text or null, not 5")),
        ({"customer": "a", "due": "tomorrow"}, Misfit("due", "is not a 'date'")),
        ({"customer": "a", "items": [{"sku": "x"}]}, Misfit("items[0].price", "is required")),
        (
            {"customer": "a", "items": [{"sku": "x", "price": 0}]},
            Misfit("items[0].price", "is less than or equal to the minimum of 0"),
        ),
        ([], Misfit("", "must be an object, not []")),
    ],
)
def test_what_does_not_fit_is_named_by_its_field(params: object, misfit: Misfit) -> None:
    assert find_misfits(SCHEMA, params) == [misfit]


def test_all_that_does_not_fit_is_told_at_once() -> None:
    found = find_misfits(SCHEMA, {"copies": "x", "rush": 1})
    assert [misfit.field for misfit in found] == ["copies", "customer", "rush"]


def test_what_fits_has_no_misfits() -> None:
    params = {"customer": "a", "due": "2026-11-27", "items": [{"sku": "x", "price": 1}], "either": "b"}
    assert find_misfits(SCHEMA, params) == []


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"n": {"type": "no such type"}}},
        {"type": "object", "properties": {"n": {"$ref": "https://schemas.example/n.json"}}},
        {"type": "object", "properties": {"n": {"$ref": "#/$defs/Missing"}}},
    ],
    ids=["invalid", "of another site", "not there"],
)
def test_a_schema_that_cannot_be_used_refuses_nobody(schema: dict[str, Any]) -> None:
    """And nothing is fetched from another site, which would be a way into the network of the API."""
    assert find_misfits(schema, {"n": 1}) == []


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("customer", "42", "42"),
        ("copies", "3", 3),
        ("rush", "true", True),
        ("due", "null", None),
        ("due", "2026-11-27", "2026-11-27"),
        ("size", "large", "large"),
        ("mode", "wet", "wet"),
        ("items", '[{"sku": "x", "price": 1.5}]', [{"sku": "x", "price": 1.5}]),
        ("either", "7", 7),
        ("either", "seven", "seven"),
        ("either", "true", "true"),
        ("unknown", "7", 7),
        ("copies", "three", "three"),
    ],
)
def test_a_text_is_read_as_the_type_of_its_param(name: str, text: str, value: object) -> None:
    read = read_text(SCHEMA, name, text)
    assert (read, type(read)) == (value, type(value))


class Part(BaseModel):
    name: str
    below: "Part | None" = None


class Box(BaseModel):
    size: str
    count: int


@pytest.mark.parametrize(
    ("params_type", "name", "text", "value"),
    [
        (Part, "name", "7", "7"),
        (Part, "below", "null", None),
        (Part | Box, "size", "7", "7"),
        (Part | Box, "count", "7", 7),
        (Part, "below", "[" * 100_000, "[" * 100_000),
    ],
    ids=["refers to itself", "null", "one of several", "another of several", "too deep"],
)
def test_a_text_is_read_as_its_type_wherever_the_schema_has_it(
    params_type: Any, name: str, text: str, value: object
) -> None:
    assert read_text(TypeAdapter(params_type).json_schema(), name, text) == value


def test_a_part_that_does_not_fit_is_named_where_the_whole_may_be_null() -> None:
    schema = TypeAdapter(Part).json_schema()
    assert find_misfits(schema, {"name": "a", "below": {"name": 1}}) == [
        Misfit("below.name", "must be text, not 1")
    ]
