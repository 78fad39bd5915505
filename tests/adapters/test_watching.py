"""Watching over an API that refuses for now, or that is gone."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from background_jobs import OrchestrationService, ServiceUnreachable, Update, aio
from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.core.statuses import COMPLETED
from background_jobs.core.views import stream_events
from background_jobs.core.views.orchestration import OrchestrationView
from background_jobs.orchestration_service import streaming
from background_jobs.orchestration_service.deadlines import Deadline
from background_jobs.orchestration_service.stream_connection import RefusedForNow, check_answer
from background_jobs.orchestration_service.streaming import StreamReader
from background_jobs.settings import Settings
from tests.scripted_api import Answer, scripted_api, stream_of

Watch = Callable[[Settings, str, str], list[Update]]
NOW = datetime(2026, 11, 24, tzinfo=UTC)
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "_LONGEST_WAIT", 0.01)


def _watch(settings: Settings, api_url: str, orchestration_id: str) -> list[Update]:
    service = OrchestrationService(settings.model_copy(update={"api_url": api_url}))
    return list(service.orchestration(orchestration_id).watch(timeout=60))


def _await_watching(settings: Settings, api_url: str, orchestration_id: str) -> list[Update]:
    async def watch() -> list[Update]:
        service = aio.OrchestrationService(settings.model_copy(update={"api_url": api_url}))
        orchestration = await service.orchestration(orchestration_id)
        return [update async for update in orchestration.watch(timeout=60)]

    return asyncio.run(watch())


@pytest.fixture(params=[_watch, _await_watching])
def watch(request: pytest.FixtureRequest) -> Watch:
    watch: Watch = request.param
    return watch


def events(stores: Stores, orchestration_id: str) -> tuple[Any, Any]:
    """Return a stream's first event and its last, as the read model stands."""
    model = stores.read_model.read_snapshot(orchestration_id)
    view = OrchestrationView.of(model.summary, NOW)
    return stream_events.SnapshotEvent.of(model, NOW), stream_events.CompletedEvent(orchestration=view)


def test_an_api_that_refuses_for_now_is_asked_again(
    settings: Settings, stores: Stores, done: str, watch: Watch
) -> None:
    refusals = [Answer(status, "<h1>Sorry</h1>") for status in (429, 500, 502, 503, 504)]
    with scripted_api(*refusals, stream_of(*events(stores, done))) as url:
        assert watch(settings, url, done)[-1].summary.completed == 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_caller_without_permission_is_told_so_at_once(
    settings: Settings, done: str, status: int, watch: Watch
) -> None:
    with (
        scripted_api(Answer(status)) as url,
        pytest.raises(ServiceUnreachable, match=f"answered {status} .* Check your permissions"),
    ):
        watch(settings, url, done)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"date": "Tue, 24 Nov 2026 09:00:00 GMT", "retry-after": "Tue, 24 Nov 2026 09:00:07 GMT"}, 7),
        ({"retry-after": "100000"}, streaming.GIVE_UP_SECONDS),
        ({"retry-after": "soon"}, 0.01),
        ({}, 0.01),
    ],
)
def test_the_wait_is_what_the_answer_asks_for(done: str, headers: dict[str, str], seconds: float) -> None:
    request = httpx2.Request("GET", NOBODY)
    with pytest.raises(RefusedForNow) as refused:
        check_answer(httpx2.Response(503, headers=headers, request=request))
    assert StreamReader(done, NOBODY).choose_pause(refused.value, Deadline.after(None, done)) == seconds


@pytest.fixture
def _given_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "GIVE_UP_SECONDS", 0.0)


@pytest.mark.usefixtures("_given_up_at_once")
def test_without_its_api_the_read_model_is_watched_which_the_log_says_once(
    settings: Settings, done: str, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    summary = watch(settings, NOBODY, done)[-1].summary
    assert (summary.completed, summary.errored) == (2, 2)
    (warning,) = caplog.messages
    assert f"The progress API at {NOBODY}" in warning
    assert warning.endswith("The read model is watched instead.")


@pytest.mark.usefixtures("_given_up_at_once")
def test_the_read_model_goes_on_where_the_stream_was_lost(
    settings: Settings,
    stores: Stores,
    watch: Watch,
    launch: Callable[..., None],
    aggregate: Callable[[], Any],
) -> None:
    # given a stream that is lost after its snapshot, and instances that end after that
    orchestration = OrchestrationService(settings).kick_off_job("halve", [{"n": 2}, {"n": 3}], parallelism=1)
    aggregate()
    snapshot, _ = events(stores, orchestration.id)
    launch(orchestration)
    aggregate()

    with scripted_api(stream_of(snapshot), Answer(503)) as url:
        first, *rest = watch(settings, url, orchestration.id)

    # then each of their ends is told, once
    assert (first.summary.total, first.transitions) == (2, ())
    ends = [move.index for update in rest for move in update.transitions if move.rank >= COMPLETED]
    assert sorted(ends) == [0, 1]
    assert rest[-1].summary.all_final


@pytest.mark.usefixtures("_given_up_at_once")
def test_where_neither_answers_one_error_says_so(settings: Settings, done: str, watch: Watch) -> None:
    blind = settings.model_copy(update={"read_model_table": "of-somebody-else"})
    with pytest.raises(ServiceUnreachable, match=r"progress API at .* The read model cannot be read either"):
        watch(blind, NOBODY, done)


def test_who_waits_for_a_stack_that_is_deleted_with_its_data_is_told_so(
    service: OrchestrationService, settings: Settings
) -> None:
    # given a caller that waits for an orchestration
    orchestration = service.kick_off_job("halve", [{"n": 2}])
    updates = orchestration.watch(timeout=60)
    next(updates)
    # when the stack goes, and its tables and its bucket with it
    for table in (settings.event_log_table, settings.read_model_table):
        clients.dynamodb().delete_table(TableName=table)
    # then every way to wait ends, and says why
    gone = "stack was deleted, and then nothing ends what still ran"
    with pytest.raises(ServiceUnreachable, match=gone):
        list(updates)
    with pytest.raises(ServiceUnreachable, match=gone):
        orchestration.results(timeout=60)
    with pytest.raises(ServiceUnreachable, match=gone):
        orchestration.detail()
