"""The stream of an orchestration, read by clients that others wrote, over connections that break."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx_sse import ServerSentEvent, connect_sse

from background_jobs import Orchestration, OrchestrationService, Status, aio
from background_jobs.core.statuses import status_of
from background_jobs.local_stack import LocalStack
from tests.cutting import cutting
from tests.offline import until

PATIENCE = 120


def stream_url(stack: LocalStack, orchestration: Orchestration) -> str:
    return f"{stack.settings.api_url}/orchestrations/{orchestration.id}/events"


def events(url: str, last_event_id: str = "") -> Iterator[ServerSentEvent]:
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    with (
        httpx.Client(timeout=60) as client,
        connect_sse(client, "GET", url, headers=headers) as source,
    ):
        if source.response.status_code != 204:
            yield from source.iter_sse()


def moves(event: ServerSentEvent) -> list[tuple[int, str]]:
    if event.event != "transitions":
        return []
    return [(move["index"], move["status"]) for move in event.json()["transitions"]]


def test_a_stream_begins_with_a_snapshot_goes_on_in_order_and_ends_by_itself(
    service: OrchestrationService, stack: LocalStack
) -> None:
    orchestration = service.kick_off_job(
        "fussy", [{"bad": n == 7} if n == 7 else {} for n in range(300)], parallelism=2
    )

    first, *rest, last = list(events(stream_url(stack, orchestration)))

    assert (first.event, last.event) == ("snapshot", "completed")
    assert len(first.json()["statuses"]) == 300
    versions = [int(event.id.partition(".")[0]) for event in (first, *rest, last)]
    assert versions == sorted(versions)
    ended = [index for event in rest for index, status in moves(event) if status != "InProgress"]
    already = [index for index, letter in enumerate(first.json()["statuses"]) if letter in "CE"]
    assert sorted(ended + already) == list(range(300))
    assert last.json()["orchestration"]["counts"] == {
        "waiting": 0, "running": 0, "completed": 299, "errored": 1,
    }  # fmt: skip


def test_a_stream_that_is_cut_anywhere_loses_nothing_and_brings_nothing_twice(
    service: OrchestrationService, stack: LocalStack, tmp_path: Path
) -> None:
    # given instances of which some go on with each event that is read, so that a cut comes before their end
    draw = random.Random(7)
    gates = [tmp_path / str(number) for number in range(4)]
    params = [{"running": str(tmp_path / "running"), "until": str(gates[n // 100])} for n in range(400)]
    orchestration = service.kick_off_job("patient", params, parallelism=2)
    # when the stream is cut again and again
    closed_gates = iter(gates)
    seen: list[tuple[int, str]] = []
    last_event_id, ended, connections = "", False, 0
    while not ended:
        connections += 1
        events_before_cut = draw.randint(1, 3)
        for event in events(stream_url(stack, orchestration), last_event_id):
            next(closed_gates, tmp_path).touch()
            if event.event == "snapshot":
                letters = enumerate(event.json()["statuses"])
                seen += [(index, "Completed") for index, letter in letters if letter == "C"]
            seen += moves(event)
            last_event_id, ended = event.id, event.event == "completed"
            events_before_cut -= 1
            if not events_before_cut:
                break
    # then every outcome has come once
    assert connections > 1
    final = [index for index, status in seen if status == "Completed"]
    assert sorted(final) == list(range(400))
    assert len(set(seen)) == len(seen)
    # and a client that reconnects after the end is told not to
    assert (
        httpx.get(stream_url(stack, orchestration), headers={"Last-Event-ID": last_event_id}).status_code
        == 204
    )


def test_a_client_that_comes_late_gets_the_whole_state(
    service: OrchestrationService, stack: LocalStack
) -> None:
    # given an orchestration that ended while nobody watched
    orchestration = service.kick_off_job("total", [{"values": [n]} for n in range(20)], parallelism=1)
    until(lambda: orchestration.summary().done)
    # then a new client gets the snapshot and the end
    snapshot, completed = list(events(stream_url(stack, orchestration)))
    assert (snapshot.json()["statuses"], completed.event) == ("C" * 20, "completed")
    # and a client that had seen the beginning gets the rest, and the end
    *rest, completed = list(events(stream_url(stack, orchestration), last_event_id="1"))
    assert {index for event in rest for index, _ in moves(event)} == set(range(20))
    assert completed.event == "completed"
    # a client with an unknown id gets the same as a new one
    assert next(events(stream_url(stack, orchestration), last_event_id="999999")).event == "snapshot"
    assert next(events(stream_url(stack, orchestration), last_event_id="<script>")).event == "snapshot"


def test_a_reader_that_is_slow_gets_it_all_in_the_end(
    service: OrchestrationService, stack: LocalStack
) -> None:
    orchestration = service.kick_off_job("total", [{"values": [n]} for n in range(500)], parallelism=2)
    stream = events(stream_url(stack, orchestration))
    seen = {index for index, letter in enumerate(next(stream).json()["statuses"]) if letter == "C"}
    until(lambda: orchestration.summary().done)
    seen |= {index for event in stream for index, status in moves(event) if status == "Completed"}
    assert seen == set(range(500))


def test_progress_is_sent_and_thinned_out_in_a_tight_loop(
    service: OrchestrationService, stack: LocalStack, tmp_path: Path
) -> None:
    begin, release = tmp_path / "begin", tmp_path / "release"
    orchestration = service.kick_off_job("report", [{"after": str(begin), "until": str(release)}])
    stream = events(stream_url(stack, orchestration))
    assert next(stream).event == "snapshot"
    begin.touch()
    reports = []
    for event in stream:
        if event.event == "progress":
            reports += event.json()["progress"]
            # a new client finds the progress in its snapshot
            late = next(events(stream_url(stack, orchestration))).json()
            if not release.exists():
                assert [(report["index"], report["percent"]) for report in late["progress"]] == [(0, 10)]
            release.touch()
    assert (reports[0]["percent"], reports[0]["message"]) == (10, "reading")
    assert len(reports) < 10
    until(lambda: orchestration.summary().done)


@pytest.fixture(params=["over server-sent events", "over the read model"])
def watching(request: pytest.FixtureRequest, stack: LocalStack) -> Iterator[Any]:
    """The settings of a caller who knows the address of the API, behind a bad line, or does not know it."""
    if request.param == "over the read model":
        yield stack.settings.model_copy(update={"api_url": ""})
        return
    with cutting(stack.settings.api_url, [700, 1_500, 5_000]) as url:
        yield stack.settings.model_copy(update={"api_url": url})


def test_watching_reconnects_by_itself_and_sees_every_instance_end(watching: Any) -> None:
    orchestration = OrchestrationService(watching).kick_off_job(
        "fussy", [{"bad": "x"}, *[{}] * 99], parallelism=2
    )
    final: dict[int, Status] = {}
    for update in orchestration.watch(timeout=PATIENCE):
        final |= {m.index: status_of(m.rank) for m in update.transitions}
    assert (update.summary.completed, update.summary.errored) == (99, 1)
    assert final == {0: Status.ERRORED} | dict.fromkeys(range(1, 100), Status.COMPLETED)


def test_outcomes_come_as_they_complete_each_once_with_its_params(watching: Any) -> None:
    service = OrchestrationService(watching)
    orchestration = service.kick_off_job("total", [{"values": [n, n]} for n in range(50)], parallelism=2)
    outcomes = list(orchestration.as_completed(timeout=PATIENCE))
    assert sorted((outcome.index, outcome.params["values"]) for outcome in outcomes) == [
        (n, [n, n]) for n in range(50)
    ]


def test_the_async_twins_do_the_same(watching: Any) -> None:
    async def params() -> AsyncIterator[dict[str, Any]]:
        for n in range(30):
            yield {"bad": "x"} if n == 3 else {}

    async def everything() -> tuple[int, list[int], int, str]:
        service = aio.OrchestrationService(watching)
        orchestration = await service.kick_off_job("fussy", params(), parallelism=2)
        updates = [update async for update in orchestration.watch(timeout=PATIENCE)]
        outcomes = [outcome.index async for outcome in orchestration.as_completed(timeout=PATIENCE)]
        _, failures = await service.get_job_results(orchestration.id, timeout=PATIENCE)
        assert failures is not None
        return (
            updates[-1].summary.completed,
            sorted(outcomes),
            failures[0].index,
            await orchestration.cancel(),
        )

    assert asyncio.run(everything()) == (29, list(range(30)), 3, "already done")


def test_watching_gives_up_in_time_and_says_that_the_work_goes_on(watching: Any, tmp_path: Path) -> None:
    release = tmp_path / "release"
    params = [{"running": str(tmp_path / "running"), "until": str(release)}]
    orchestration = OrchestrationService(watching).kick_off_job("patient", params)
    with pytest.raises(TimeoutError, match="It goes on; wait again"):
        list(orchestration.watch(timeout=0.3))
    release.touch()
    assert orchestration.wait(PATIENCE).completed == 1
