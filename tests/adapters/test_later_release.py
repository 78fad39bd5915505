"""An event that a later release wrote: everybody says so in a sentence, and nobody stops or loses anything."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner, Result

from background_jobs import OrchestrationService
from background_jobs.aws import clients
from background_jobs.aws.event_bus import EventBus
from background_jobs.aws.stores import Stores
from background_jobs.cli.main import app as command_line
from background_jobs.control_plane.aggregate_jobs import Aggregator
from background_jobs.core.blocks import Block, InstanceRange, cut_bodies
from background_jobs.core.errors import UnreadableEvent
from background_jobs.core.events import STARTED, Event, log_partition, schedule_partition
from background_jobs.core.given_up import UnreadableRecord
from background_jobs.core.views.later_events import LaterEvents
from background_jobs.orchestration_service.schedules import Schedules
from background_jobs.progress_api.app import create_app
from background_jobs.settings import ApiSettings, Settings
from tests.adapters.scheduling import Clock
from tests.unit.histories import at, job_completed, job_started

PAUSED = b'{"type":"JobPaused","index":1,"at":"2026-11-24T09:00:00Z","reason":{"type":"Lunch"}}'
COMPLETED = b'{"type":"JobCompleted","index":1,"at":"2026-11-24T09:00:03Z","attempts":1,"schema_version":2}'
JOB_PAUSED = (
    "1 event of type JobPaused, written by a later release, is not shown: update the SDK and the stack."
)
TENDED = (
    "1 event of type OrchestrationTended, written by a later release, is not shown: "
    "update the SDK and the stack."
)


def put(settings: Settings, partition: str, sort: str, **fields: object) -> None:
    """Put an event into the log as a later release would, whatever it is."""
    document = json.dumps({"at": "2026-11-24T09:00:00Z", **fields})
    item: Any = {"pk": {"S": partition}, "sk": {"S": sort}, "document": {"S": document}}
    clients.dynamodb().put_item(TableName=settings.event_log_table, Item=item)


def append(stores: Stores, orchestration_id: str, *events: bytes) -> None:
    """Append a block of the three instances, as their container would."""
    part = InstanceRange("default", orchestration_id, 0, 2)
    stores.block_log.append(Block(part, 0, 0, "launch 0", b"[%b]" % b",".join(events)))


def encoded(*events: Any) -> bytes:
    return next(cut_bodies(events))[1:-1]


@pytest.fixture
def paused(service: OrchestrationService, stores: Stores, settings: Settings) -> str:
    """An orchestration of three, of which and of one of which a later release tells more."""
    orchestration = service.kick_off_job("halve", [{"n": n} for n in range(3)], parallelism=1)
    put(settings, log_partition("default", orchestration.id), "tended", type="OrchestrationTended")
    outcomes = [encoded(job_started(index), job_completed(index)) for index in range(3)]
    append(stores, orchestration.id, outcomes[0], PAUSED, *outcomes[1:])
    return orchestration.id


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    api = create_app(settings, ApiSettings(allowed_hosts=("testserver",)))
    with TestClient(api, raise_server_exceptions=False) as client:
        yield client


def run(settings: Settings, *words: str) -> Result:
    return CliRunner().invoke(command_line, words, env=settings.to_env())


def test_the_aggregator_goes_on_with_everything_else_and_keeps_what_it_does_not_know(
    service: OrchestrationService, paused: str, aggregate: Callable[[], Any], given_up: list[UnreadableRecord]
) -> None:
    sibling = service.kick_off_job("halve", [])

    assert [aggregate() for _ in ("the outcomes", "the completion")] == [[], []]

    assert service.orchestration(paused).summary().completed == 3
    assert service.orchestration(paused).summary().done
    assert sibling.summary().done
    faults = {(unreadable.sort, *unreadable.faults) for unreadable in given_up}
    assert faults == {
        ("tended", "a later release wrote it: OrchestrationTended, schema version 1"),
        (
            "block#00000000-00000002#000000",
            "event 3: a later release wrote it: JobPaused, schema version 1",
        ),
    }


def test_the_history_counts_what_it_cannot_show(service: OrchestrationService, paused: str) -> None:
    history = service.orchestration(paused).event_history()
    assert [entry.type for entry in history.timeline] == ["OrchestrationStarted"]
    assert history.later_events == [
        LaterEvents.of("JobPaused", 1, 1),
        LaterEvents.of("OrchestrationTended", 1, 1),
    ]


@pytest.mark.usefixtures("_folded")
def test_the_history_of_an_instance_tells_of_its_own(service: OrchestrationService, paused: str) -> None:
    first, second = (service.orchestration(paused).instance(index) for index in (0, 1))
    assert first.later_events == []
    assert [event.type for event in second.events] == ["JobStarted", "JobCompleted"]
    assert [event.sentence for event in second.later_events] == [JOB_PAUSED]


@pytest.fixture
def _folded(paused: str, aggregate: Callable[[], Any]) -> None:
    assert [aggregate() for _ in ("the outcomes", "the completion")] == [[], []]


@pytest.mark.usefixtures("_folded")
def test_commands_and_routes_say_what_they_do_not_show(
    settings: Settings, paused: str, client: TestClient
) -> None:
    for words in (["show", paused], ["show", paused, "--json"]):
        told = run(settings, *words)
        assert (told.exit_code, told.exception) == (0, None)
        assert JOB_PAUSED in told.stdout
        assert TENDED in told.stdout
    shown = run(settings, "instance", paused, "1")
    assert (shown.exit_code, JOB_PAUSED in shown.stdout) == (0, True)
    report = run(settings, "report", paused, "-o", "-")
    assert (report.exit_code, JOB_PAUSED in report.stdout) == (0, True)
    history = client.get(f"/orchestrations/{paused}/event-history").json()
    assert [later["sentence"] for later in history["later_events"]] == [JOB_PAUSED, TENDED]
    instance = client.get(f"/orchestrations/{paused}/instances/1").json()
    assert [later["sentence"] for later in instance["later_events"]] == [JOB_PAUSED]


@pytest.mark.usefixtures("_folded")
@pytest.mark.parametrize("command", ["results", "failures", "watch", "containers", "logs --places"])
def test_commands_that_show_other_things_go_on(settings: Settings, paused: str, command: str) -> None:
    name, *options = command.split()
    assert run(settings, name, paused, *options).exit_code == 0


@pytest.fixture
def fold(stores: Stores, settings: Settings) -> Callable[..., None]:
    """Fold events of an orchestration into the read model, as the aggregator of a later release does."""
    bus = EventBus(clients.events(), settings.event_bus)
    aggregator = Aggregator(stores.event_log, stores.read_model, bus, clock=lambda: at(9))

    def fold(orchestration_id: str, *events: Event) -> None:
        renamed = [event.model_copy(update={"orchestration_id": orchestration_id}) for event in events]
        aggregator.aggregate("default", orchestration_id, renamed)

    return fold


@pytest.mark.usefixtures("_folded")
def test_a_rebuild_stores_nothing_where_it_does_not_know_what_follows(
    settings: Settings, stores: Stores, paused: str, fold: Callable[..., None]
) -> None:
    # given a read model that a later release made, by what it alone knows
    fold(paused, job_started(1, 7))
    before = stores.read_model.read_snapshot(paused)

    for words in (["rebuild", paused], ["rebuild", paused, "--check"]):
        told = run(settings, *words)
        assert (told.exit_code, type(told.exception)) == (4, SystemExit)
        later = [line for line in told.stdout.splitlines() if line.startswith("later release")]
        assert later == [f"later release\t{JOB_PAUSED}", f"later release\t{TENDED}"]

    assert stores.read_model.read_snapshot(paused) == before


@pytest.fixture
def half_known(service: OrchestrationService, stores: Stores, fold: Callable[..., None]) -> str:
    """An orchestration of three that is done; a later release wrote the outcome of the second."""
    orchestration = service.kick_off_job("halve", [{"n": n} for n in range(3)], parallelism=1)
    append(stores, orchestration.id, encoded(job_completed(0)), COMPLETED, encoded(job_completed(2)))
    started = stores.event_log.read_started(orchestration.id)
    fold(orchestration.id, started, *(job_completed(index) for index in range(3)))
    return orchestration.id


def test_results_of_which_a_later_release_wrote_one_are_not_taken_for_all(
    service: OrchestrationService, half_known: str
) -> None:
    sentence = r"'JobCompleted of instance 1' .* \(a later release wrote it: JobCompleted, schema version 2"
    with pytest.raises(UnreadableEvent, match=sentence):
        service.get_job_results(half_known, timeout=0)
    outcomes = service.orchestration(half_known).outcomes()
    assert [next(outcomes).index for _ in range(2)] == [0, 2]
    with pytest.raises(UnreadableEvent, match=sentence):
        next(outcomes)


def test_commands_and_routes_say_whose_outcome_they_cannot_show(
    settings: Settings, half_known: str, client: TestClient
) -> None:
    printed = run(settings, "results", half_known)
    assert [line.split("\t")[0] for line in printed.stdout.splitlines()] == ["0", "2"]
    assert (printed.exit_code, type(printed.exception)) == (3, SystemExit)
    assert "'JobCompleted of instance 1'" in printed.stderr
    told = client.get(f"/orchestrations/{half_known}/results")
    assert (told.status_code, told.json()["error"]) == (500, "UnreadableEvent")
    shown = client.get(f"/orchestrations/{half_known}/instances/1").json()["later_events"]
    (told,) = (later["sentence"] for later in shown)
    assert told.startswith(
        "1 event of type JobCompleted, schema version 2, written by a later release, is not"
    )


COMMANDS = ("show", "results", "watch", "report", "instance 0", "containers", "logs", "rebuild", "cancel")


def test_every_command_says_that_a_later_release_wrote_the_kick_off(
    settings: Settings, service: OrchestrationService
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 1}])
    partition = log_partition("default", orchestration.id)
    put(settings, partition, STARTED, type="OrchestrationStarted", schema_version=2)

    for command in COMMANDS:
        name, *words = command.split()
        told = run(settings, name, orchestration.id, *words)
        assert isinstance(told.exception, SystemExit), command
        assert told.exit_code != 0
        assert "a later release wrote it: OrchestrationStarted, schema version 2" in told.output, command


def test_a_schedule_says_that_a_later_release_wrote_of_it_and_its_siblings_go_on(
    settings: Settings, schedules: Schedules, clock: Clock
) -> None:
    # given two schedules, of one of which a later release has started an occurrence
    for name in ("hourly", "nightly"):
        schedules.define(name, "halve", [{"n": 1}], {"cron": "0 3 * * *"})
    put(settings, schedule_partition("nightly"), "run#00000001", type="OccurrenceStarted", schema_version=2)
    put(settings, schedule_partition("nightly"), "changed#2", type="ScheduleTended")
    sentence = "'run#00000001' of the schedule 'nightly' .* OccurrenceStarted, schema version 2"

    # then nothing is decided without it, and no occurrence is started twice
    with pytest.raises(UnreadableEvent, match=sentence):
        schedules.find("nightly").run_now()
    with pytest.raises(UnreadableEvent, match=sentence):
        schedules.find("nightly").runs(3)
    assert schedules.find("hourly").run_now().orchestration_id
    assert [schedule.name for schedule in schedules.all()] == ["hourly", "nightly"]
    told = run(settings, "schedule", "runs", "nightly")
    assert isinstance(told.exception, SystemExit)
    assert "a later release wrote it" in told.output
