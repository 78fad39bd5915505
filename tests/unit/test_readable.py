"""The law of the log: what is accepted is read back equal by every reader; all else is refused with a sentence.

Values are drawn from what people really pass: deep, long, with keys that become the same text, with numbers and
characters that JSON has no room for.
"""

import json
import math
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx2 import ByteStream, EventSource, Request, Response
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic_core import from_json

from background_jobs import Retry, Stage
from background_jobs.aws.block_items import block_from_item, item_of_block
from background_jobs.aws.log_items import read_item, to_item
from background_jobs.core import limits
from background_jobs.core.blocks import Block, InstanceRange, cut_bodies
from background_jobs.core.containers.delays import DelayReason
from background_jobs.core.errors import InvalidKickOff, InvalidParams, InvalidResult
from background_jobs.core.events import (
    Event,
    EventKey,
    FailedAttempt,
    JobError,
    JobErrored,
    JobEvent,
    OrchestrationCancelled,
    OrchestrationStalled,
    ShareDelayed,
    StageSkipped,
    log_partition,
    parse_event,
)
from background_jobs.core.feed import pack_feed_item, unpack_feed_item
from background_jobs.core.options import KickOffOptions, OccurrenceOptions, read_options
from background_jobs.core.outcomes import Failure, Success
from background_jobs.core.payloads import INLINE_BYTES, params_line, result_document
from background_jobs.core.read_model import Advance, FeedItem
from background_jobs.core.refused_values import InvalidStage
from background_jobs.core.schedules.definition import (
    SCHEDULED_TIME,
    ScheduleDefinition,
    Target,
    parse_schedule_input,
    scheduler_properties,
)
from background_jobs.core.schedules.events import ScheduleDefined, parse_schedule_event
from background_jobs.core.schedules.timing import Timing
from background_jobs.core.views.outcomes import FailureView, SuccessView
from background_jobs.progress_api.event_encoding import encode_progress
from background_jobs.worker.instance import describe_error
from tests.unit.histories import ORCHESTRATION_ID, at, job_completed, job_errored, job_progressed, started

RANGE = InstanceRange("default", ORCHESTRATION_ID, 0, 249)
ITEM_BYTES = 400 * 1024
"""What DynamoDB takes."""

texts = st.text() | st.text(st.sampled_from('\0\ud800\udfff\u2028\x85\r\n"\\<a\N{PILE OF POO}'))
numbers = (
    st.integers()
    | st.floats()
    | st.sampled_from([2**63, -(2**64), 10**4_299, 1e308, -0.0, math.nan, math.inf])
)
scalars = st.none() | st.booleans() | numbers | texts
keys = texts | st.sampled_from(["1", "true", "null", "1.0"]) | st.sampled_from([1, True, None, 1.0, math.nan])


def nest(value: object, depth: int, kind: str) -> object:
    for _ in range(depth):
        value = [value] if kind == "list" else {"in": value}
    return value


values = st.builds(
    nest,
    st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.lists(inner, max_size=3).map(tuple)
            | st.dictionaries(keys, inner, max_size=4)
        ),
        max_leaves=12,
    ),
    st.sampled_from([0, 0, 0, 90, 97, 98, 99, 100, 101, 199, 210, 254, 300, 995, 3_000]),
    st.sampled_from(["list", "dict"]),
)
COLLIDING: Any = {1: "a", "1": "b"}


def as_json(value: Any) -> Any:
    """Return *value* as JSON has it: lists for tuples, and texts for keys."""
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else json.dumps(key): as_json(part) for key, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [as_json(part) for part in value]
    return value


def check_sentence(refused: Exception) -> None:
    """Assert that a refusal can be shown, and ends as a sentence does."""
    text = str(refused)
    assert text.encode()
    assert text.endswith(".")


def size_of(item: dict[str, Any]) -> int:
    contents = (content for typed in item.values() for content in typed.values())
    return sum(len(content.encode() if isinstance(content, str) else content) for content in contents)


def read_instance_event(event: JobEvent) -> None:
    """Assert that the log holds *event*, alone and in a block, and that every reader finds it there."""
    assert parse_event(event.model_dump_json(exclude_none=True)) == event
    (body,) = cut_bodies([event])
    item = item_of_block(Block(RANGE, 0, 0, "me", body), 0)
    assert size_of(item) < ITEM_BYTES
    assert block_from_item(item).events() == [event]
    assert read_item(item) == ([event], ())


def read_event(event: Any) -> None:
    """Assert the same of an event of an orchestration as a whole."""
    key = EventKey(log_partition("default", ORCHESTRATION_ID), event.sort_key)
    item = to_item(key, event, timedelta(days=1))
    assert size_of(item) < ITEM_BYTES
    assert read_item(item) == ([event], ())


def outcome_fields(event: Any, params: Any) -> dict[str, Any]:
    return {
        "orchestration_id": ORCHESTRATION_ID, "job_name": "census", "job_id": event.job_id, "params": params,
        "index": event.index, "attempts": event.attempts, "started_at": None, "ended_at": event.at,
    }  # fmt: skip


@given(values)
@example(COLLIDING)
@example({"deep": COLLIDING})
def test_params_come_back_equal_from_every_reader_or_are_refused(value: Any) -> None:
    try:
        line = params_line(7, {"value": value})
    except InvalidParams as refused:
        check_sentence(refused)
        return
    params = json.loads(line)
    assert params == as_json({"value": value})
    event = job_errored(3, params=params)
    read_instance_event(event)
    failure = Failure(**outcome_fields(event, params), error=event.error, failed_attempts=(), log="")
    assert json.loads(FailureView.of(failure).model_dump_json())["params"] == params


@given(values)
@example(COLLIDING)
@example({"deep": [COLLIDING]})
def test_a_result_comes_back_equal_from_every_reader_or_is_refused(value: Any) -> None:
    try:
        plain, document = result_document(value)
    except InvalidResult as refused:
        check_sentence(refused)
        return
    # by reference it is the document in the bucket, which is read like this
    assert json.loads(document) == plain
    if not isinstance(value, dict):  # pydantic spells keys that are no texts in its own way
        assert isinstance(plain, list) == isinstance(value, list | tuple)
    if len(document) <= INLINE_BYTES:
        event = job_completed(3, result=plain)
        read_instance_event(event)
        success = Success(**outcome_fields(event, {}), result_json=plain)
        assert json.loads(SuccessView.of(success).model_dump_json())["result"] == plain


@pytest.mark.parametrize("write", [lambda value: params_line(0, {"a": value}), result_document])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (nest(1, 101, "list"), "deeper than 100 levels"),
        (nest(1, 995, "list"), "deeper than 100 levels"),
        (nest(1, 100_000, "dict"), "deeper than 100 levels"),
        pytest.param(10**4_300, "4300 digits", id="digits"),
        (math.nan, "JSON compliant"),
        ("\ud800", "surrogates"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_the_reason(
    write: Callable[[Any], object], value: Any, reason: str
) -> None:
    with pytest.raises((InvalidParams, InvalidResult), match=f"(?s){reason}"):
        write(value)


def test_what_is_nested_far_too_deep_is_refused_in_little_memory() -> None:
    # given 20,000 levels, whose places would be 600 MB of text
    value = nest(1, 20_000, "dict")
    tracemalloc.start()
    try:
        with pytest.raises(InvalidResult, match="deeper than 100 levels"):
            result_document(value)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("value", [COLLIDING, [{True: 1, "true": 2}]])
def test_keys_that_collide_as_text_are_refused(value: Any) -> None:
    with pytest.raises(InvalidParams, match="is no text, and would arrive as text"):
        params_line(0, {"a": value})
    with pytest.raises(InvalidResult, match="are the same in JSON"):
        result_document(value)


def test_a_kick_off_of_more_instances_than_there_can_be_is_not_read() -> None:
    """Whoever closes them or looks for them would run out of memory."""
    planted = started(3).model_dump(mode="json") | {"total": 10**12}
    with pytest.raises(ValueError, match="less than or equal to 10000000"):
        parse_event(json.dumps(planted))


def make_error(name: str, message: str, text: str) -> BaseException:
    """Return an error that was raised by a job, with the source of its line in its traceback."""
    kind = type("E", (Exception,), {"__module__": "job"})
    kind.__qualname__ = name
    try:
        raise kind(message) from ValueError(text)  # noqa: TRY301 -- its traceback is wanted
    except Exception as error:  # noqa: BLE001 -- as a worker catches it
        return error


@given(texts, texts, texts)
@example("E" * 500_000, "m" * 500_000, "t" * 500_000)
@example("\x01" * 3_000, "\x01" * 9_000, "\x01" * 30_000)
def test_whatever_a_job_raises_can_be_written_and_read(name: str, message: str, text: str) -> None:
    error = describe_error(make_error(name, message, text))
    attempt = FailedAttempt(attempt=1, at=at(1), type=error.type, message=error.message)
    params = json.loads(params_line(0, {"a": "\x01" * (INLINE_BYTES // 6 - 10)}))
    event = job_errored(3, params=params).model_copy(
        update={"error": error, "failed_attempts": (attempt,) * 10}
    )
    read_instance_event(event)


@given(texts)
@example("x" * 1_000_000)
@example("\ud800" * 1_000_000)
def test_every_text_of_an_event_is_held_to_a_bound_that_reading_does_not_move(text: str) -> None:
    of_all = {"orchestration_id": ORCHESTRATION_ID, "at": at(1)}
    stalled: dict[str, Any] = {"job_name": "census", "moved_at": at(0)}
    read_event(OrchestrationCancelled(**of_all, reason=text))
    read_event(StageSkipped(**of_all, job_name="census", reason=text))
    read_event(ShareDelayed(**of_all, share=0, number=0, reason=DelayReason.REFUSED, detail=text))
    read_event(OrchestrationStalled(**of_all, **stalled, reasons=[text] * limits.STALL_REASONS))
    read_instance_event(JobErrored(**of_all, index=1, attempts=1, job_name="census", log=text, params={},
                                   error=JobError(type=text, message=text, traceback=text)))  # fmt: skip
    read_instance_event(job_progressed(1, message=text))


@given(texts)
def test_progress_reaches_the_reader_of_the_stream(text: str) -> None:
    message = job_progressed(3, message=text).message
    item = FeedItem(9, 1, 0, 0, (), (Advance(3, 1, 50, message, at(1)),))
    assert unpack_feed_item(9, pack_feed_item(item)) == item
    (read,) = sse_events(encode_progress(item, ORCHESTRATION_ID))
    assert read["progress"][0]["message"] == message


def sse_events(encoded: bytes) -> Iterator[Any]:
    """Yield the data of the events in *encoded*, as the SDK reads a stream."""
    response = Response(
        200,
        headers={"content-type": "text/event-stream"},
        stream=ByteStream(encoded),
        request=Request("GET", "http://x"),
    )
    for event in EventSource(response):
        yield json.loads(event.data)


stages = st.tuples(
    st.dictionaries(
        texts,
        texts.filter(lambda text: not text.startswith("$")) | numbers | st.just(nest(1, 98, "dict")),
        max_size=2,
    ),
    st.sampled_from([1, 2, 50, 99, 100, 101]),
)
retries = st.builds(
    lambda name, count: Retry(retry_on=[f"{name}{number}" for number in range(count)]),
    st.text(),
    st.sampled_from([0, 1, 100, 5_000]),
)


def with_stages(keywords: dict[str, Any]) -> dict[str, Any]:
    """Return *keywords* with the stages that they describe."""
    params, count = keywords.get("then") or (None, 0)
    return keywords | ({"then": chain(count, params)} if count else {})


def chain(count: int, params: Any = "results") -> Stage | None:
    stage: Stage | None = None
    for _ in range(count):
        stage = Stage("next", params=params, then=stage)
    return stage


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "tags": st.dictionaries(texts, texts, max_size=3) | st.just({"customer": "\x01" * 1_025}),
            "key": texts,
            "retry": retries,
            "then": stages,
        },
    )
)
@example({"tags": {"a": "\x01" * 4_095}, "key": "\x01" * 256})
@example({"then": ("results", 100)})
@example({"then": ({"a": COLLIDING}, 1)})
@example({"then": ({"a": (1, at(0), math.nan)}, 1)})
@example({"then": ({"a": (1, at(0))}, 2)})
def test_the_options_of_a_kick_off_come_back_equal_or_are_refused(keywords: dict[str, Any]) -> None:
    try:
        options = read_options(KickOffOptions, given_keywords := with_stages(keywords))
    except InvalidKickOff as refused:
        check_sentence(refused)
        return
    except InvalidStage:
        return
    fields = {
        "tags": options.tags,
        "retry": options.retry,
        "then": options.then,
        "idempotency_key": options.key,
    }
    read_event(started(1, **fields))
    read_schedule(read_options(OccurrenceOptions, {k: v for k, v in given_keywords.items() if k != "key"}))


def read_schedule(options: OccurrenceOptions) -> None:
    """Assert that Scheduler, and the history of a schedule, hold a schedule with *options*."""
    given_options = {name: getattr(options, name) for name in OccurrenceOptions.model_fields}
    definition = ScheduleDefinition.model_validate(
        given_options
        | {"name": "nightly", "job_name": "census", "service": "default", "timing": Timing(every=timedelta(days=1), start=at(0)),
           "params": ({"a": SCHEDULED_TIME},)}
    )  # fmt: skip
    properties = scheduler_properties(definition, "group", Target("f", "r", "q"))
    assert parse_schedule_input(properties["Target"]["Input"]) == definition
    event = ScheduleDefined(schedule="nightly", at=datetime.now(UTC), definition=definition)
    item = to_item(event.key, event, timedelta(days=1))
    assert size_of(item) < ITEM_BYTES
    assert parse_schedule_event(item["document"]["S"]) == event


@pytest.mark.parametrize(
    ("keywords", "reason"),
    [
        ({"then": chain(101)}, "101 stages are to follow, and 100 is the most"),
        ({"then": chain(5_000)}, "5,000 stages are to follow"),
        ({"then": chain(60, {"a": nest(1, 60, "list")})}, "deeper than 100 levels"),
        ({"retry": Retry(retry_on="E" * 20_000)}, "bytes of JSON, and 16,384 is the most"),
    ],
)
def test_options_that_no_event_could_hold_are_refused_with_the_reason(
    keywords: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InvalidKickOff, match=reason):
        read_options(KickOffOptions, keywords)


@given(st.data())
def test_an_event_that_cannot_be_read_hides_none_of_its_block(data: st.DataObject) -> None:
    # given a block of events, and others among them that nobody can read
    events: list[Event] = [job_completed(index, result=["]}", '"', index]) for index in range(4)]
    encoded = [body[1:-1] for event in events for body in cut_bodies([event])]  # type: ignore[list-item]
    unreadable = [
        b'{"type":"JobDone","index":0}',
        b'{"type":"JobCompleted","index":0,"at":"2026-11-24T09:00:00Z","attempts":1,"result":%b}'
        % (b"[" * 1_000 + b"]" * 1_000),
        b'{"type":"JobCompleted","index":9999,"at":"2026-11-24T09:00:00Z","attempts":1}',
        b'{"type":"JobCompleted","index":0,"at":"2026-11-24T09:00:00Z","attempts":1,"schema_version":2}',
    ]  # fmt: skip
    whole = data.draw(st.permutations([*encoded, *data.draw(st.lists(st.sampled_from(unreadable)))]))

    # when it is read
    contents = Block(RANGE, 0, 0, "me", b"[%b]" % b",".join(whole)).read()

    # then all that can be read is, and each of the others is told of
    assert sorted(contents.events, key=lambda event: event.index) == events
    assert len(contents.faults) == len(whole) - len(events)


@given(st.binary() | st.binary().map(lambda part: b"[%b]" % part))
@example(b'[{"a\\"]":[]')
@example(b"[7]")
@example(b'["]')
@example(b"[{]")
@example(b"\x0b[,]")
@example(b"")
def test_reading_a_block_never_fails_whatever_is_in_it(body: bytes) -> None:
    contents = Block(RANGE, 0, 0, "me", body).read()
    assert contents.events == []
    assert contents.faults or from_json(body) == []
