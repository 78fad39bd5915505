"""Many watchers of one orchestration: they share the reading, and each gets everything."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from httpx_sse._decoders import SSEDecoder

from background_jobs import OrchestrationService
from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.core.events import JobProgressed
from background_jobs.progress_api import stream
from background_jobs.progress_api.callers import Callers
from background_jobs.progress_api.hub import Hub, Position
from background_jobs.settings import ApiSettings, Settings
from tests.memory import append_events
from tests.unit.histories import at

WATCHERS = 40


@pytest.fixture
def calls() -> "Counter[str]":
    """How often each operation of DynamoDB is called."""
    counted: Counter[str] = Counter()
    clients.dynamodb().meta.events.register("before-call", lambda model, **_: counted.update([model.name]))
    return counted


def names(chunks: list[bytes]) -> list[str]:
    decoder = SSEDecoder()
    decoded = (decoder.decode(line) for line in b"".join(chunks).decode().splitlines())
    return [event.event for event in decoded if event is not None]


async def drained(stream: AsyncIterator[bytes]) -> list[bytes]:
    return [chunk async for chunk in stream]


def test_what_is_read_does_not_grow_with_the_number_of_watchers(
    service: OrchestrationService,
    stores: Stores,
    launch: Callable[..., None],
    aggregate: Callable[[], list[Any]],
    calls: "Counter[str]",
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": n} for n in range(10)], parallelism=1)
    aggregate()

    async def watched(watchers: int) -> list[list[bytes]]:
        hub = Hub(stores, ApiSettings(stream_poll_seconds=60))
        return await asyncio.gather(*(drained(hub.events(orchestration.id, None)) for _ in range(watchers)))

    launch(orchestration)
    assert (aggregate(), aggregate()) == ([], [])
    calls.clear()
    (alone,) = asyncio.run(watched(1))
    of_one = dict(calls)
    calls.clear()
    together = asyncio.run(watched(WATCHERS))

    assert dict(calls) == of_one
    assert all(names(stream) == names(alone) == ["snapshot", "completed"] for stream in together)


def test_a_stream_ends_before_its_function_would_and_is_padded_past_the_buffer(
    service: OrchestrationService, stores: Stores, aggregate: Callable[[], list[Any]]
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 2}])
    aggregate()
    api = ApiSettings(stream_poll_seconds=0.01, stream_padding_bytes=1_000, stream_seconds=0.1)

    (snapshot,) = asyncio.run(drained(Hub(stores, api).events(orchestration.id, None)))

    assert names([snapshot]) == ["snapshot"]
    assert len(snapshot.rpartition(b"\n: ")[2]) > 1_000


def test_heartbeats_are_padded_as_events_are(
    service: OrchestrationService,
    stores: Stores,
    settings: Settings,
    aggregate: Callable[[], list[Any]],
) -> None:
    # given a buffer that holds back what is short
    orchestration = service.kick_off_job("halve", [{"n": 2}])
    aggregate()
    hub = Hub(stores, ApiSettings(stream_padding_bytes=1_000))
    request: Any = SimpleNamespace(app=SimpleNamespace(state=SimpleNamespace(hub=hub)))
    caller = Callers(service, stores, settings).unlimited()
    # when somebody watches while nothing happens
    response: Any = asyncio.run(stream.watch_orchestration(orchestration.id, request, caller))
    # then what shows that the connection lives is as long as an event
    heartbeat = response.ping_message_factory().encode()
    assert names([heartbeat]) == ["heartbeat"]
    assert len(heartbeat.rpartition(b"\n: ")[2]) > 1_000


def test_progress_that_was_cut_off_comes_without_its_transitions(
    service: OrchestrationService,
    stores: Stores,
    launch: Callable[..., None],
    aggregate_completion: Callable[[], None],
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 2}], parallelism=1)
    progressed = JobProgressed(orchestration_id=orchestration.id, at=at(1), index=0, attempt=1, percent=40)
    launch(orchestration)
    append_events(stores, progressed)
    aggregate_completion()

    async def resumed(position: Position) -> list[str]:
        hub = Hub(stores, ApiSettings(stream_poll_seconds=0.01))
        return names(await drained(hub.events(orchestration.id, position)))

    whole = asyncio.run(resumed(Position(0, progress_is_due=False)))
    assert whole == ["transitions", "progress", "completed"]
    assert asyncio.run(resumed(Position(1, progress_is_due=True))) == ["progress", "completed"]


@pytest.mark.parametrize("version", [0, 1])
def test_a_client_whose_progress_is_not_in_the_feed_gets_all_that_follows(
    version: int,
    service: OrchestrationService,
    stores: Stores,
    launch: Callable[..., None],
    aggregate_completion: Callable[[], None],
) -> None:
    # given a feed whose version 1 has no progress, and that has no version 0
    orchestration = service.kick_off_job("halve", [{"n": 2}], parallelism=1)
    launch(orchestration)
    aggregate_completion()
    position = Position(version, progress_is_due=True)
    # when a client resumes after the first of two events of that version
    hub = Hub(stores, ApiSettings(stream_poll_seconds=0.01))
    received = names(asyncio.run(drained(hub.events(orchestration.id, position))))
    # then it gets no second one, and the stream goes on
    assert "progress" not in received
    assert received[-1] == "completed"


def test_the_stream_of_a_client_whose_progress_has_expired_ends_in_its_time(
    service: OrchestrationService, stores: Stores
) -> None:
    # given an orchestration of which nothing is in the feed
    orchestration = service.kick_off_job("halve", [{"n": 2}])
    hub = Hub(stores, ApiSettings(stream_poll_seconds=0.01, stream_seconds=0.2))
    stream_of_client = hub.events(orchestration.id, Position(0, progress_is_due=True))
    # when a client resumes at progress that is not there
    received = asyncio.run(asyncio.wait_for(drained(stream_of_client), 10))
    # then its stream ends in its time, instead of never
    assert received == []


def test_a_watcher_sees_a_cancellation_before_any_instance_ends(
    service: OrchestrationService, stores: Stores, aggregate: Callable[[], list[Any]]
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 2}])
    aggregate()
    orchestration.cancel("by somebody else")
    aggregate()

    async def first_news() -> bytes:
        hub = Hub(stores, ApiSettings(stream_poll_seconds=0.01))
        return await anext(hub.events(orchestration.id, Position(1, progress_is_due=False)))

    news = asyncio.run(first_news())
    (data,) = [line for line in news.decode().splitlines() if line.startswith("data: ")]
    event = json.loads(data.removeprefix("data: "))
    assert (event["transitions"], event["counts"]["waiting"]) == ([], 1)
    assert event["cancelled_at"] is not None
