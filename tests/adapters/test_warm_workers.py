"""How many shares are offered to warm workers, and how many workers are kept."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import pytest

from background_jobs.aws import clients
from background_jobs.aws.history import index_entry
from background_jobs.aws.offer_queue import OfferQueue, find_queue
from background_jobs.aws.state_machine import FanOutInput
from background_jobs.aws.stores import Stores
from background_jobs.aws.task_definitions import TaskDefinitions
from background_jobs.aws.warm_services import WarmServices, WarmServiceState
from background_jobs.control_plane.start_orchestration import start_orchestration
from background_jobs.control_plane.warm_workers import WarmOffers, keep_warm
from background_jobs.core.containers.variables import task_family
from background_jobs.core.containers.warm import Offer, WarmHours, WarmWorkers
from background_jobs.core.metrics import Measurement, Metric
from background_jobs.core.read_model import Summary
from background_jobs.core.read_model_keys import SUMMARY, summary_key
from background_jobs.settings import Settings
from tests.adapters.test_revisions import EXECUTION, Started, deploy
from tests.unit.histories import started

OFFER: Final = Offer(token="t", task_definition="family:1", variables={"ORCHESTRATION_ID": "o"})
NIGHT: Final = datetime(2026, 11, 23, 3, tzinfo=UTC)
OFFICE: Final = WarmHours(start=7, end=19, days=("MON", "TUE"), timezone="Europe/Berlin")


class Services(WarmServices):
    """ECS services whose workers all run."""

    def __init__(self, **running: dict[str, int]) -> None:
        self.running = running
        self.kept: dict[str, int] = {}
        self.asked = 0

    def find(self, name: str) -> WarmServiceState | None:
        self.asked += 1
        found = self.running.get(name.replace("-", "_"))
        return None if found is None else WarmServiceState(sum(found.values()), found)

    def keep(self, name: str, count: int) -> None:
        self.kept[name] = count


@pytest.fixture
def queue(settings: Settings) -> OfferQueue:
    name = task_family(settings.environment, "default")
    clients.sqs().create_queue(QueueName=name)
    return OfferQueue(clients.sqs(), find_queue(clients.sqs(), name))


def send(queue: OfferQueue, body: str = OFFER.model_dump_json()) -> None:
    clients.sqs().send_message(QueueUrl=queue._url, MessageBody=body)


def store_kick_off(settings: Settings, at: datetime) -> None:
    """Store what the read model has of an orchestration that was kicked off *at* a moment."""
    summary = Summary(
        orchestration_id=str(uuid4()), version=1, job_name="halve", service="default", total=1, started_at=at
    )
    item = {
        "pk": {"S": summary_key("default", summary.orchestration_id).partition},
        "sk": {"S": SUMMARY},
        "expires_at": {"N": str(int(datetime.now(UTC).timestamp()) + 3_600)},
        "document": {"S": summary.model_dump_json(exclude_none=True)},
        **index_entry(summary),
    }
    clients.dynamodb().put_item(TableName=settings.read_model_table, Item=item)


def start(
    settings: Settings,
    services: WarmServices,
    warm: WarmWorkers = WarmWorkers(count=9),  # noqa: B008 -- frozen
    total: int = 3,
    measured: list[Measurement] | None = None,
) -> FanOutInput:
    """Kick off *total* shares of a service of which revision 2 is the latest."""
    for image in ("jobs:1", "jobs:2"):
        deploy(settings, image)
    offers = WarmOffers(
        {"default": warm},
        {},
        services,
        lambda service: find_queue(clients.sqs(), task_family(settings.environment, service)),
        lambda url: OfferQueue(clients.sqs(), url),
        measured.extend if measured is not None else lambda _: None,
    )
    machine = Started()
    definitions = TaskDefinitions(clients.ecs())
    kicked_off = started(total).model_copy(update={"parallelism": total})
    start_orchestration([kicked_off], settings, EXECUTION, machine, definitions, warm=offers)
    (fan_out,) = machine.inputs
    return fan_out


def revisions(settings: Settings, old: int, new: int) -> dict[str, int]:
    family = task_family(settings.environment, "default")
    return {f"{family}:1": old, f"{family}:2": new}


def test_as_many_shares_are_offered_as_workers_of_their_revision_are_idle(
    settings: Settings, queue: OfferQueue
) -> None:
    # given four workers of this revision, one with a share, and an offer that nobody has taken yet
    send(queue)
    send(queue)
    assert queue.receive() is not None
    services = Services(default_FARGATE=revisions(settings, old=5, new=4))
    measured: list[Measurement] = []
    # when more shares are kicked off than there are idle workers
    fan_out = start(settings, services, measured=measured)
    # then the state machine is told of the two idle ones, and where to offer
    assert (fan_out.warm_shares, fan_out.warm_queue) == (2, queue._url)
    assert {(one.metric, one.value) for one in measured} == {
        (Metric.WARM_WORKERS, 4),
        (Metric.WARM_WORKERS_BUSY, 1),
        (Metric.SHARES_OFFERED, 2),
    }


def test_no_more_shares_are_offered_than_there_are(settings: Settings, queue: OfferQueue) -> None:
    services = Services(default_FARGATE=revisions(settings, old=0, new=5))
    assert start(settings, services, total=1).warm_shares == 1


def test_an_orchestration_starts_without_warm_workers_where_aws_does_not_answer(settings: Settings) -> None:
    """Its queue is not there, say."""
    fan_out = start(settings, Services(default_FARGATE=revisions(settings, old=0, new=5)))
    assert (fan_out.warm_shares, fan_out.warm_queue) == (0, "")


def test_a_service_without_warm_workers_costs_no_call(settings: Settings) -> None:
    services = Services()
    offers = WarmOffers({}, {}, services, lambda _: pytest.fail("asked"), lambda _: pytest.fail("asked"))
    assert offers.offer(started(3), "family:1").shares == 0
    assert services.asked == 0


def test_a_kick_off_wakes_the_workers_of_its_service_up(settings: Settings, queue: OfferQueue) -> None:
    asleep = Services(default_FARGATE={})
    assert start(settings, asleep, WarmWorkers(count=2, idle_minutes=30)).warm_shares == 0
    assert asleep.kept == {"default-FARGATE": 2}


def test_what_is_constant_is_left_to_the_stack_and_to_whoever_changes_it(
    settings: Settings, queue: OfferQueue, stores: Stores
) -> None:
    services = Services(default_FARGATE={})
    start(settings, services, WarmWorkers(count=2))
    assert keep_warm({"default": WarmWorkers(count=2)}, {}, services, stores.history, NIGHT) == {}
    assert services.kept == {}


@pytest.mark.parametrize(
    ("warm", "age", "kept"),
    [
        (WarmWorkers(count=2, idle_minutes=30), timedelta(minutes=29), 2),
        (WarmWorkers(count=2, idle_minutes=30), timedelta(minutes=31), 0),
        (WarmWorkers(count=2, hours=OFFICE), timedelta(minutes=1), 0),
        (WarmWorkers(count=2, hours=OFFICE, idle_minutes=30), timedelta(minutes=1), 2),
    ],
    ids=["in use", "idle", "at night", "in use at night"],
)
def test_workers_are_kept_in_their_hours_and_while_they_are_in_use(
    settings: Settings, stores: Stores, warm: WarmWorkers, age: timedelta, kept: int
) -> None:
    # given a service that was last used *age* ago, and has another number of workers than it should
    store_kick_off(settings, NIGHT - age)
    services = Services(default_FARGATE={"family:1": 2 - kept})
    assert keep_warm({"default": warm}, {}, services, stores.history, NIGHT) == {"default": kept}
    assert services.kept == {"default-FARGATE": kept}
    # once it has that number, nothing is called
    services = Services(default_FARGATE={"family:1": kept})
    assert keep_warm({"default": warm}, {}, services, stores.history, NIGHT) == {}


def test_a_service_that_was_never_used_keeps_none(stores: Stores) -> None:
    services = Services(default_FARGATE={"family:1": 1})
    idle = WarmWorkers(count=2, idle_minutes=30)
    assert keep_warm({"default": idle}, {}, services, stores.history, NIGHT) == {"default": 0}


def test_workers_on_other_capacity_have_a_service_of_another_name(stores: Stores) -> None:
    services = Services(default_FARGATE_SPOT={"family:1": 1})
    warm = {"default": WarmWorkers(count=2, idle_minutes=30)}
    assert keep_warm(warm, {"default": "FARGATE_SPOT"}, services, stores.history, NIGHT) == {"default": 0}


def test_what_ecs_says_of_a_service_is_read_by_revision_and_its_number_is_changed(settings: Settings) -> None:
    deploy(settings, "jobs:1")
    family = task_family(settings.environment, "default")
    clients.ecs().create_cluster(clusterName="cluster")
    clients.ecs().create_service(
        cluster="cluster", serviceName="default-FARGATE", taskDefinition=family, desiredCount=1
    )
    services = WarmServices(clients.ecs(), "cluster")
    services.keep("default-FARGATE", 3)
    state = services.find("default-FARGATE")
    assert state is not None
    assert (state.desired, list(state.running)) == (3, [f"{family}:1"])
    assert services.find("absent") is None


def test_a_message_is_an_offer_until_it_is_deleted(queue: OfferQueue) -> None:
    send(queue)
    received = queue.receive()
    assert received is not None
    assert received.offer == OFFER
    queue.hide(received.receipt)
    assert queue.backlog() == (0, 1)
    queue.delete(received.receipt)
    assert queue.backlog() == (0, 0)
    assert queue.receive(wait_seconds=0) is None


def test_a_message_of_somebody_else_is_received_as_none_of_ours(queue: OfferQueue) -> None:
    send(queue, '{"hello": "world"}')
    received = queue.receive()
    assert received is not None
    assert received.offer is None


@pytest.mark.parametrize(
    ("day", "hour", "kept"),
    [(23, 21, False), (23, 22, True), (24, 5, True), (24, 6, False), (24, 22, False), (23, 5, False)],
)
def test_hours_over_midnight_belong_to_the_day_on_which_they_begin(
    day: int, hour: int, *, kept: bool
) -> None:
    monday_night = WarmHours(start=22, end=6, days=("MON",))
    assert monday_night.include(datetime(2026, 11, day, hour, 30, tzinfo=UTC)) is kept
    assert monday_night.a_week == 8


@pytest.mark.parametrize(
    "fault",
    [
        {"count": -1},
        {"count": True},
        {"count": 2, "idle_minutes": 1},
        {"count": 2, "hours": {"start": 9, "end": 9}},
        {"count": 2, "hours": {"start": "9", "end": 17}},
        {"count": 2, "idle_minutes": "30"},
        {"count": 2, "hours": {"start": 9, "end": 10, "days": ["monday"]}},
        {"count": 2, "hours": {"start": 9, "end": 10, "timezone": "Berlin"}},
    ],
)
def test_workers_that_cannot_be_kept_are_refused(fault: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"count|idle_minutes|hours|MON|Berlin"):
        WarmWorkers.model_validate(fault)


def test_what_the_stack_writes_of_warm_workers_is_what_the_functions_read() -> None:
    warm = {
        "a": WarmWorkers(count=2),
        "b": WarmWorkers(count=3, idle_minutes=30, hours=OFFICE),
    }
    written = EXECUTION.model_copy(update={"warm_workers": warm}).to_env()
    assert type(EXECUTION).from_env(written).warm_workers == warm
