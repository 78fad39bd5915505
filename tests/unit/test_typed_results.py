"""Results as the types that jobs return: what was returned is read back equal, or the misfit is told."""

import pickle
from collections.abc import Awaitable, Generator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, Literal, NamedTuple
from uuid import UUID

import pytest
from pydantic import BaseModel, field_serializer, field_validator
from typing_extensions import TypedDict

from background_jobs import InvalidJob, ResultMismatch, job_name
from background_jobs.core.payloads import result_document
from background_jobs.core.typed_results import ResultType
from background_jobs.jobs import find_definition


class Colour(Enum):
    RED = "red"


class Model(BaseModel):
    at: datetime
    parts: tuple[int, ...]


@dataclass
class Point:
    x: int
    y: float


class Row(TypedDict):
    n: int


class Pair(NamedTuple):
    first: int
    second: str


RETURNED: list[tuple[Any, Any]] = [
    (int, 3),
    (float, 0.1),
    (float, 3),
    (str, "3"),
    (bool, True),
    (type(None), None),
    (int | None, None),
    (int | str, "12"),
    (datetime, datetime(2026, 11, 27, tzinfo=UTC)),
    (date, date(2026, 11, 27)),
    (timedelta, timedelta(seconds=90)),
    (Decimal, Decimal("1.10")),
    (UUID, UUID(int=7)),
    (bytes, b"bytes"),
    (Colour, Colour.RED),
    (Model, Model(at=datetime(2026, 1, 1, tzinfo=UTC), parts=(1, 2))),
    (list[Model], [Model(at=datetime(2026, 1, 1, tzinfo=UTC), parts=())]),
    (Point, Point(1, 2.5)),
    (Row, {"n": 1}),
    (Pair, Pair(1, "a")),
    (set[int], {1, 2}),
    (tuple[int, str], (1, "a")),
    (dict[int, str], {1: "a"}),
    (dict[str, Any], {"a": [1, None]}),
]


@pytest.mark.parametrize(
    ("annotation", "value"), RETURNED, ids=[f"{kind} {value}" for kind, value in RETURNED]
)
def test_what_a_job_returned_is_read_back_equal(annotation: Any, value: object) -> None:
    plain, _ = result_document(value)
    read = ResultType("job", annotation).read(0, plain)
    assert read == value
    assert type(read) is type(value) or annotation is float


@pytest.mark.parametrize(
    ("annotation", "plain", "reason"),
    [
        (int, "12", "int"),
        (Point, {"x": 1}, "y is missing"),
        (list[Model], [{"at": "today"}], "at"),
        (str, None, "str"),
    ],
)
def test_a_result_that_does_not_fit_says_which_and_why(annotation: Any, plain: object, reason: str) -> None:
    with pytest.raises(
        ResultMismatch, match=rf"(?s)The result of add_up\[3\] does not fit .*{reason}.*result_json"
    ):
        ResultType("add_up", annotation).read(3, plain)


def test_a_type_that_json_cannot_hold_is_refused_before_anything_starts() -> None:
    class Socket:
        pass

    @job_name("open")
    def open_socket(params: dict[str, Any]) -> Socket:
        return Socket()

    with pytest.raises(InvalidJob, match="'open' returns a type that cannot be read back"):
        _ = find_definition(open_socket).result_type


@pytest.mark.parametrize("annotation", [Iterable[int], Generator[int, None, None], Iterable[int] | None])
def test_what_is_iterated_over_is_read_as_a_list_and_checked(annotation: Any) -> None:
    result_type = ResultType("count", annotation)

    assert result_type.read(0, [1, 2]) == [1, 2]
    with pytest.raises(ResultMismatch, match=r"1='x' must be a whole number"):
        result_type.read(0, [1, "x"])


def test_what_is_iterated_over_within_a_result_is_read_as_a_list() -> None:
    assert ResultType("count", dict[str, Iterable[Point]]).read(0, {"a": [{"x": 1, "y": 2}]}) == {
        "a": [Point(1, 2)]
    }


class Mixed(Enum):
    RED = "red"
    ONE = 1


class Number(IntEnum):
    ONE = 1


class Word(StrEnum):
    ONE = "one"


class Keyed(BaseModel):
    by_place: dict[tuple[int, int], str]


class WritesItsKeys(Keyed):
    @field_serializer("by_place")
    def write(self, by_place: dict[tuple[int, int], str]) -> list[Any]:
        return [[list(place), text] for place, text in by_place.items()]

    @field_validator("by_place", mode="before")
    @classmethod
    def read(cls, pairs: list[Any]) -> dict[Any, str]:
        return {tuple(place): text for place, text in pairs}


@pytest.mark.parametrize(
    "annotation",
    [
        dict[tuple[int, int], str],
        dict[None, int],
        dict[Literal[1, "a"], int],
        dict[Mixed, int],
        Mapping[tuple[int], int],
        list[dict[None, int]],
        Keyed,
    ],
)
def test_keys_that_cannot_come_back_from_text_are_refused(annotation: Any) -> None:
    with pytest.raises(InvalidJob, match="JSON has text as keys, and a dict's keys of type"):
        ResultType("job", annotation)


KEYED: list[tuple[Any, Any]] = [
    (dict[Colour, int], {Colour.RED: 1}),
    (dict[Number, int], {Number.ONE: 1}),
    (dict[date, int], {date(2026, 1, 1): 1}),
    (dict[bool, int], {True: 1}),
    (dict[Literal["a"], int], {"a": 1}),
    (dict[Literal[Word.ONE], int], {Word.ONE: 1}),
    (tuple[dict[Colour, int], dict[Colour, int]], ({Colour.RED: 1}, {})),
    (WritesItsKeys, WritesItsKeys(by_place=[((1, 2), "a")])),
]


@pytest.mark.parametrize(("annotation", "value"), KEYED, ids=[str(kind) for kind, _ in KEYED])
def test_other_keys_come_back(annotation: Any, value: object) -> None:
    plain, _ = result_document(value)
    assert ResultType("job", annotation).read(0, plain) == value


def test_an_awaitable_is_the_type_of_what_it_comes_to() -> None:
    @job_name("later")
    def later(params: dict[str, Any]) -> Awaitable[Point]:
        raise NotImplementedError

    result_type = find_definition(later).result_type
    assert result_type is not None
    assert result_type.read(0, {"x": 1, "y": 2}) == Point(1, 2)


def test_a_type_reads_the_same_in_another_process() -> None:
    arrived = pickle.loads(pickle.dumps(ResultType("job", list[Point])))
    assert arrived.read(0, [{"x": 1, "y": 2}]) == [Point(1, 2)]
