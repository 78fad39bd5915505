"""The law of typed params: a model arrives equal at the job that asks for it, or is refused with the reason."""

import dataclasses
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Json,
    PrivateAttr,
    RootModel,
    SecretBytes,
    SecretStr,
    computed_field,
    field_serializer,
    model_serializer,
)
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from background_jobs.core.errors import InvalidParams
from background_jobs.core.typed_params import ParamsType, write_params
from background_jobs.jobs import find_definition, job_name

T = TypeVar("T")


class Color(Enum):
    RED = 1
    BLUE = "blue"


class Size(StrEnum):
    SMALL = "s"


class Point(NamedTuple):
    x: int
    y: float = 0.5


class Extras(TypedDict, total=False):
    day: date
    sizes: list[Size]


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    bark: str


class Aliased(BaseModel):
    customer_id: str = Field(alias="customerId")
    inner: "list[Aliased]" = Field(default=[], alias="innerOnes")


class Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)
    first_name: str
    years_old: int | None


class ByName(BaseModel):
    model_config = ConfigDict(validate_by_name=True)
    number: int = Field(validation_alias="in", serialization_alias="out")


class SerializedByAlias(BaseModel):
    number: int = Field(serialization_alias="out")


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    day: date
    at: datetime
    id: UUID
    price: Decimal
    color: Color
    pair: tuple[int, str]
    tags: frozenset[str]
    raw: bytes = Field(max_length=5)


class Forbidding(BaseModel):
    model_config = ConfigDict(extra="forbid")
    width: int

    @computed_field  # type: ignore[prop-decorator] # mypy knows no decorated property
    @property
    def doubled(self) -> int:
        return 2 * self.width


class Allowing(BaseModel):
    model_config = ConfigDict(extra="allow")
    n: int = 0


class Constrained(BaseModel):
    name: Annotated[str, Field(min_length=2, max_length=5)]
    even: Annotated[int, AfterValidator(lambda n: n - n % 2)]
    words: Annotated[list[str], BeforeValidator(lambda v: v.split() if isinstance(v, str) else v)]
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]


class Base64(BaseModel):
    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
    raw: bytes


class Infinite(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="strings")
    ratio: float


class Excluding(BaseModel):
    n: int
    cached: int = Field(default=3, exclude=True)


class Private(BaseModel):
    n: int
    _seen: list[int] = PrivateAttr(default_factory=list)


class Page(BaseModel, Generic[T]):
    items: list[T]


class Wrapped(BaseModel):
    start: int

    @model_serializer
    def as_text(self) -> dict[str, str]:
        return {"start": f"{self.start}"}


class Mapped(RootModel[dict[str, date]]):
    pass


class Many(BaseModel):
    day: date | None
    at: datetime
    clock: time
    span: timedelta
    price: Decimal
    ratio: float
    whole: int
    color: Color
    size: Size
    path: Path
    point: Point
    keyed: dict[int, UUID]
    sets: set[date]
    choice: int | str | bool | None
    extras: Extras
    text: Json[list[int]]


@dataclasses.dataclass
class Plain:
    day: date
    page: "Page[Decimal]"
    keys: dict[date, tuple[int, ...]] = dataclasses.field(default_factory=dict)


@pydantic_dataclass(frozen=True)
class Checked:
    name: Annotated[str, Field(min_length=1)]
    inner: Plain


class Revealing(BaseModel):
    password: SecretStr

    @field_serializer("password", when_used="json")
    def reveal(self, password: SecretStr) -> str:
        return password.get_secret_value()


TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)
WHOLE = st.integers()
JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=5,
)
PETS = st.builds(Cat, lives=WHOLE) | st.builds(Dog, bark=TEXT)
PAGES = st.builds(Page[Decimal], items=st.lists(DECIMALS, max_size=2))
OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(timezones=st.none() | OFFSETS)
PLAIN = st.builds(
    Plain,
    day=st.dates(),
    page=PAGES,
    keys=st.dictionaries(st.dates(), st.lists(WHOLE, max_size=2).map(tuple), max_size=2),
)
ALIASED = st.builds(lambda text, inner: Aliased(customerId=text, innerOnes=inner), TEXT, st.just([]))
ARRIVE: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "aliases": (
        Aliased,
        st.builds(lambda text, one: Aliased(customerId=text, innerOnes=[one]), TEXT, ALIASED),
    ),
    "an alias generator": (
        Camel,
        st.builds(lambda t, n: Camel(firstName=t, yearsOld=n), TEXT, st.none() | WHOLE),
    ),
    "two aliases and the name": (ByName, st.builds(lambda n: ByName(number=n), WHOLE)),
    "an alias of JSON alone": (SerializedByAlias, st.builds(SerializedByAlias, number=WHOLE)),
    "strict": (
        Strict,
        st.builds(
            Strict,
            day=st.dates(),
            at=TIMES,
            price=DECIMALS,
            pair=st.tuples(WHOLE, TEXT),
            tags=st.frozensets(TEXT, max_size=2),
            raw=TEXT.map(str.encode).filter(lambda raw: len(raw) <= 5),
        ),
    ),
    "a computed field where extras are forbidden": (Forbidding, st.builds(Forbidding, width=WHOLE)),
    "extras": (Allowing, st.builds(Allowing, n=WHOLE, one=JSON, other=JSON)),
    "constraints, validators and a discriminator": (
        Constrained,
        st.builds(
            Constrained,
            name=TEXT.filter(lambda text: 2 <= len(text) <= 5),
            even=WHOLE,
            words=st.lists(TEXT, max_size=2),
            pet=PETS,
        ),
    ),
    "bytes in base64": (Base64, st.builds(Base64, raw=st.binary(max_size=5))),
    "infinity as text": (Infinite, st.builds(Infinite, ratio=st.floats(allow_nan=False))),
    "an excluded field at its default": (Excluding, st.builds(Excluding, n=WHOLE, cached=st.just(3))),
    "private attributes at their default": (Private, st.builds(Private, n=WHOLE)),
    "a generic": (Page[Decimal], PAGES),
    "a union": (Cat | Dog, PETS),
    "a validator of the whole": (
        Annotated[Cat, AfterValidator(lambda cat: cat)],
        st.builds(Cat, lives=WHOLE),
    ),
    "a serializer of its own": (Wrapped, st.builds(Wrapped, start=WHOLE)),
    "a root": (Mapped, st.builds(Mapped, st.dictionaries(TEXT, st.dates(), max_size=2))),
    "a dataclass": (Plain, PLAIN),
    "a dataclass of pydantic": (Checked, st.builds(Checked, name=st.just("x"), inner=PLAIN)),
    "a secret that its class writes": (Revealing, st.builds(Revealing, password=TEXT.map(SecretStr))),
    "dates, numbers, enums, sets and tuples": (
        Many,
        st.builds(
            Many,
            day=st.none() | st.dates(),
            at=TIMES,
            clock=st.times(),
            span=st.timedeltas(),
            price=DECIMALS,
            ratio=FLOATS,
            whole=WHOLE,
            size=st.just(Size.SMALL),
            path=st.just(Path("/tmp/ä b")),
            point=st.builds(Point, WHOLE, FLOATS),
            keyed=st.dictionaries(WHOLE, st.uuids(), max_size=2),
            sets=st.sets(st.dates(), max_size=2),
            choice=WHOLE | TEXT | st.booleans() | st.none(),
            extras=st.fixed_dictionaries({}, optional={"day": st.dates(), "sizes": st.just([Size.SMALL])}),
            text=st.lists(WHOLE, max_size=2).map(str),
        ),
    ),
}


@pytest.mark.parametrize("feature", ARRIVE)
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_a_model_arrives_equal_kicked_off_by_its_job_or_by_name(feature: str, data: st.DataObject) -> None:
    annotation, models = ARRIVE[feature]
    model, job_type = data.draw(models), ParamsType("the job", annotation)
    assert job_type.read(write_params(0, model, job_type)) == model
    assert job_type.read(write_params(0, model, None)) == model


class Secret(BaseModel):
    name: str
    passwords: list[SecretStr]


class LongSecret(BaseModel):
    key: Annotated[SecretBytes, Field(min_length=12)]


class Raw(BaseModel):
    chunks: list[bytes]


class Free(BaseModel):
    one: Any = None


class Ratio(BaseModel):
    ratio: float


class Named(BaseModel):
    n: int = Field(validation_alias=AliasChoices("number", "no"))


class Holding(BaseModel):
    pet: Cat


class Kitten(Cat):
    weeks: int


class Lossy(BaseModel):
    big: list[float]

    @model_serializer
    def rounded(self) -> dict[str, list[int]]:
        return {"big": [int(number) for number in self.big]}


class Crashing(BaseModel):
    n: int

    @field_serializer("n")
    def divide(self, n: int) -> float:
        return 1 / n


class Odd:
    def __eq__(self, other: object) -> bool:
        raise OSError("no")

    def __repr__(self) -> str:
        raise OSError("no")

    __hash__ = None  # type: ignore[assignment] # it is only compared


def grow(cat: Cat) -> Cat:
    return cat.model_copy(update={"lives": cat.lives + 1})


def look_up(cat: Cat) -> Cat:
    raise KeyError(cat.lives)


def with_private() -> Private:
    model = Private(n=1)
    model._seen.append(3)
    return model


REFUSED: dict[str, tuple[Any, object, str]] = {
    "a secret": (
        Secret,
        Secret(name="x", passwords=["hunter2"]),
        r"`passwords\[0\]` is a secret.*docs/deploying",
    ),
    "a secret whose asterisks do not fit": (LongSecret, LongSecret(key=b"x" * 12), "`key` is a secret"),
    "an excluded field": (Excluding, Excluding(n=1, cached=4), "`cached` would arrive as 3 .*not as 4"),
    "a private attribute": (Private, with_private(), "`_seen` would arrive as "),
    "bytes that are no text": (
        Raw,
        Raw(chunks=[b"ok", b"\xff"]),
        r"`chunks\[1\]`: .*invalid utf-8",
    ),
    "a date without a type": (
        Free,
        Free(one={"day": date(2026, 1, 1)}),
        "`one.day` would arrive as '2026-01-01' ",
    ),
    "a tuple without a type": (
        Free,
        Free(one=(1, 2)),
        "`one` would arrive as .* \\(list\\), and not as .* \\(tuple",
    ),
    "a key that is no text": (Free, Free(one={1: 2}), "`one` would arrive as {'1': 2}"),
    "no number": (Free, Free(one=[math.nan]), r"`one\[0\]`: nan is no number in JSON"),
    "no number, of a type": (
        Ratio,
        Ratio(ratio=math.inf),
        "`ratio`: inf is no number in JSON, use None or text",
    ),
    "too many digits": (Free, Free(one=[10**5000]), r"`one\[0\]`: number out of range"),
    "what JSON cannot be made of": (
        Free,
        Free(one=[object()]),
        r"`one\[0\]`: Unable to serialize unknown type",
    ),
    "what can be neither compared nor shown": (
        Free,
        Free(one=Odd()),
        "`one`: Unable to serialize unknown type",
    ),
    "an alias for reading alone": (Named, Named(number=3), "do not fit (?s:.)*number"),
    "a subclass": (Cat, Kitten(lives=1, weeks=2), "would arrive as Cat.*and not as Kitten"),
    "a subclass in a field": (Holding, Holding(pet=Kitten(lives=1, weeks=2)), "`pet` would arrive as Cat"),
    "another class": (Page[int], Allowing(items=[1]), "would arrive as Page.*and not as Allowing"),
    "what the other class lacks": (Dog, Allowing(n=1), "do not fit the job(?s:.)*bark"),
    "a serializer that loses": (Lossy, Lossy(big=[1, 2.5]), r"`big\[1\]` would arrive as 2.0 "),
    "a serializer that raises": (Crashing, Crashing(n=0), "cannot be written as JSON: .*division"),
    "a validator that changes": (
        Annotated[Cat, AfterValidator(grow)],
        Cat(lives=1),
        "`lives` would arrive as 2 ",
    ),
    "a validator that raises": (
        Annotated[Cat, AfterValidator(look_up)],
        Cat(lives=1),
        "validator .* KeyError",
    ),
    "a list": (RootModel[list[int]], RootModel[list[int]]([1]), "must be a JSON object"),
    "text that is none": (Free, Free(one={"x": "\ud800"}), "`one.x`: .*surrogates"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_model_that_would_not_arrive_equal_is_refused_with_its_index_and_the_place(kind: str) -> None:
    annotation, model, reason = REFUSED[kind]
    job_type = ParamsType("the job 'x'", annotation)
    with pytest.raises(InvalidParams, match=reason) as refused:
        write_params(7, model, job_type)
    assert refused.value.index == 7


def refusal_of(model: object, job_type: ParamsType) -> InvalidParams | None:
    try:
        write_params(0, model, job_type)
    except InvalidParams as refused:
        return refused
    return None


ANY_TYPES = st.recursive(
    JSON | st.dates() | st.binary() | st.uuids() | DECIMALS | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(WHOLE | TEXT, inner),
    max_leaves=5,
)


@given(value=ANY_TYPES)
def test_whatever_a_field_holds_it_arrives_equal_or_is_refused_with_its_place(value: object) -> None:
    """The law for a field that says nothing of its type."""
    model, job_type = Free(one=value), ParamsType("the job", Free)
    if refused := refusal_of(model, job_type):
        assert "`one" in refused.reason
    else:
        assert job_type.read(write_params(0, model, job_type)) == model


def test_a_time_in_the_hour_that_is_repeated_in_autumn_is_as_good_as_any() -> None:
    """Times in it equal no time of another zone, and JSON knows offsets alone: once a year, nothing would start."""
    at = datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
    job_type = ParamsType("the job", Moment)
    arrived = job_type.read(write_params(0, Moment(at=[at]), job_type))
    assert arrived.at[0].astimezone(UTC) == at.astimezone(UTC)


def test_a_dataclass_that_is_compared_by_identity_is_compared_by_its_fields() -> None:
    job_type = ParamsType("the job", Identical)
    assert job_type.read(write_params(0, Identical(3), job_type)).n == 3


class Moment(BaseModel):
    at: list[datetime]


@dataclasses.dataclass(eq=False)
class Identical:
    n: int


def test_by_name_a_model_is_held_to_its_own_class() -> None:
    """Whoever kicks off by name does not know the job, but a model that reads back from its JSON is no loss."""
    with pytest.raises(InvalidParams, match="is a secret"):
        write_params(0, Secret(name="x", passwords=["y"]), None)
    assert write_params(0, Aliased(customerId="acme"), None) == b'{"customerId":"acme","innerOnes":[]}\n'


def test_a_model_for_a_job_that_asks_for_a_dict_is_written_by_its_aliases() -> None:
    job_type = ParamsType("the job", dict[str, Any])
    assert job_type.read(write_params(0, Aliased(customerId="acme"), job_type))["customerId"] == "acme"


def test_a_dict_is_held_to_what_the_job_reads() -> None:
    """It is read as JSON, so a strict model takes a date as text, as it does in the container."""
    job_type = ParamsType("the job 'x'", Moment)
    assert write_params(0, {"at": ["2026-01-01T00:00:00Z"]}, job_type) == b'{"at":["2026-01-01T00:00:00Z"]}\n'
    with pytest.raises(InvalidParams, match=r"index 3 .*do not fit the job 'x'(?s:.)*at\.0"):
        write_params(3, {"at": ["soon"]}, job_type)


def test_a_validator_in_the_annotation_is_heard() -> None:
    def positive(params: dict[str, Any]) -> dict[str, Any]:
        if params["n"] < 0:
            raise ValueError("n must not be negative")
        return params

    @job_name("annotated")
    def annotated(params: Annotated[dict[str, Any], AfterValidator(positive)]) -> None: ...

    job_type = find_definition(annotated).params_type
    with pytest.raises(InvalidParams, match="n must not be negative"):
        write_params(0, {"n": -1}, job_type)
    with pytest.raises(InvalidParams, match="validator of the job 'annotated' raised KeyError"):
        write_params(0, {}, job_type)
