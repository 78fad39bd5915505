import json
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, Field

from background_jobs import OrchestrationService, Retry, Stage, job_name
from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.close_unfinished import CloseRequest, close_unfinished
from background_jobs.core import limits
from background_jobs.core.errors import (
    InvalidKickOff,
    InvalidParams,
    KickOffConflict,
    OrchestrationNotFound,
    UnknownJobName,
)
from background_jobs.core.job_descriptions import JobDescription
from background_jobs.core.options import KickOffOptions
from background_jobs.orchestration_service.kick_off import KickOffRequest, kick_off
from background_jobs.settings import Settings


class Batch(BaseModel):
    n: int


class Choice(BaseModel):
    regions: set[int]
    days: dict[str, frozenset[int]] = Field(default_factory=dict, serialization_alias="dates")


@job_name("count")
def count(params: Batch) -> int:
    return params.n


def stored(settings: Settings) -> tuple[int, int]:
    """Return how many events and how many payloads there are; with each event comes a pointer."""
    items = clients.dynamodb().scan(TableName=settings.event_log_table)["Items"]
    events = [item for item in items if "document" in item]
    assert len(items) == 2 * len(events)
    return len(events), clients.s3().list_objects_v2(Bucket=settings.payload_bucket)["KeyCount"]


def test_a_kick_off_is_two_payloads_and_one_event(
    service: OrchestrationService, stores: Stores, settings: Settings
) -> None:
    orchestration = service.kick_off_job(
        "count", ({"n": n} for n in range(10)), parallelism=3, tags={"customer": "acme"}
    )

    assert stored(settings) == (1, 2)
    event = stores.event_log.read_started(orchestration.id)
    assert (event.job_name, event.total, event.parallelism, event.tags) == (
        "count",
        10,
        3,
        {"customer": "acme"},
    )
    shares = [json.loads(line) for line in stores.payloads.lines(event.shares_key)]
    assert [share["indices"] for share in shares] == ["0-3", "4-6", "7-9"]
    assert stores.payloads.get(event.params_key, shares[1]["bytes"]) == b'{"n":4}\n{"n":5}\n{"n":6}\n'


@pytest.mark.parametrize(("asked", "used"), [(None, 4), (3, 3), (8, 8)])
def test_a_kick_off_without_a_parallelism_takes_that_of_the_environment(
    stores: Stores, settings: Settings, asked: int | None, used: int
) -> None:
    request = KickOffRequest(job_name="count", options=KickOffOptions(parallelism=asked))
    small = settings.model_copy(update={"default_parallelism": 4})
    id_ = kick_off(request, ({"n": n} for n in range(10)), stores, small)
    assert stores.event_log.read_started(id_).parallelism == used


def test_no_params_are_one_event_and_no_payload(service: OrchestrationService, settings: Settings) -> None:
    service.kick_off_job("count", [])
    assert stored(settings) == (1, 0)


def test_an_iterator_that_raises_starts_nothing(service: OrchestrationService, settings: Settings) -> None:
    def params() -> Iterator[dict[str, int]]:
        yield {"n": 1}
        raise OSError("the database is away")

    with pytest.raises(OSError, match="the database is away"):
        service.kick_off_job("count", params())
    assert stored(settings) == (0, 0)


def test_params_that_are_no_object_start_nothing_and_are_named(
    service: OrchestrationService, settings: Settings
) -> None:
    with pytest.raises(InvalidParams, match="index 1 were refused"):
        service.kick_off_job("count", [{"n": 1}, 2])  # type: ignore[list-item] # the point
    assert stored(settings) == (0, 0)


def test_a_decorated_job_checks_its_params_before_anything_starts(
    service: OrchestrationService, settings: Settings
) -> None:
    with pytest.raises(InvalidParams, match=r"(?s)index 1 .*'count'.*whole number"):
        service.kick_off_job(count, [Batch(n=1), {"n": "many"}])  # type: ignore[arg-type] # the point
    assert stored(settings) == (0, 0)


def test_an_unknown_job_is_refused_where_the_jobs_are_known(settings: Settings) -> None:
    service = OrchestrationService(settings.model_copy(update={"job_names": ("count", "sum")}))
    with pytest.raises(UnknownJobName, match=r"'cuont'.*'count', 'sum'"):
        service.kick_off_job("cuont", [{}])
    assert stored(settings) == (0, 0)


def test_offline_the_jobs_of_a_service_are_those_that_it_publishes(settings: Settings) -> None:
    """The names in the variables are those of when the stack was started."""
    known = {"environment": "local", "job_names": ("gone",), "service_names": ("default", "billing")}
    service = OrchestrationService(settings.model_copy(update=known))
    service.publish_jobs([JobDescription(name="count", aliases=("cnt",))])
    service.publish_jobs([JobDescription(name="bill")], "billing")

    for name, of in (("count", None), ("cnt", None), ("bill", "billing")):
        service.kick_off_job(name, [{}], service=of)
    with pytest.raises(UnknownJobName, match=r"'gone'.*This service has: 'cnt', 'count'\."):
        service.kick_off_job("gone", [{}])
    with pytest.raises(UnknownJobName, match="The service 'billing' has it: name that service"):
        service.kick_off_job("count", [{}], then=Stage("bill"))
    assert [job.name for job in service.jobs()] == ["bill", "count"]


@pytest.mark.parametrize(
    ("services", "name", "message"),
    [
        (("billing", "ledger"), "biling", "no service 'biling' in this environment. It has: billing, ledger"),
        ((), "../billing", r"'\.\./billing' cannot be: a name has"),
    ],
)
def test_an_unknown_service_is_refused_for_stages_too(
    settings: Settings, services: tuple[str, ...], name: str, message: str
) -> None:
    known = {"service_names": services, "service": next(iter(services), "default")}
    service = OrchestrationService(settings.model_copy(update=known))
    with pytest.raises(InvalidKickOff, match=message):
        service.kick_off_job("count", [{"n": 1}], service=name)
    with pytest.raises(InvalidKickOff, match=message):
        service.kick_off_job("count", [{"n": 1}], then=Stage("count", params="results", service=name))
    with pytest.raises(InvalidKickOff, match=message):
        service.schedule_job("nightly", "count", [{"n": 1}], cron="0 3 * * *", service=name)
    assert stored(settings) == (0, 0)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"parallelism": 0}, "from 1 to 100"),
        ({"parallelism": 101}, "from 1 to 100"),
        ({"key": ""}, "1 to 256 characters"),
        ({"timeout": 0}, "more than 0, and up to 7 days"),
        ({"timeout": timedelta(days=-1)}, "more than 0, and up to 7 days"),
        ({"timeout": timedelta(days=8)}, "more than 0, and up to 7 days"),
        ({"tags": {"customer": 7}}, "str to str"),
        ({"tags": {"customer": "x" * 5_000}}, "characters in all"),
        ({"tags": {"customer": "é" * 600}}, "has up to 1024 bytes"),
        ({"tags": {"file": "caf\udce9"}}, "no text"),
    ],
)
def test_bad_options_are_refused_before_anything_is_written(
    service: OrchestrationService, settings: Settings, options: dict[str, object], reason: str
) -> None:
    with pytest.raises(InvalidKickOff, match=reason):
        service.kick_off_job("count", [{}], **options)  # type: ignore[call-overload] # the point
    assert stored(settings) == (0, 0)


def test_the_same_key_with_the_same_params_is_the_same_orchestration(
    service: OrchestrationService, settings: Settings
) -> None:
    first = service.kick_off_job("count", [{"n": 1}], key="nightly")
    again = service.kick_off_job("count", [{"n": 1}], key="nightly", parallelism=1)
    assert again.id == first.id
    assert stored(settings) == (1, 2)


# Sets of these two numbers keep the order in which they were put in; texts have another order in every process.
ONE, OTHER = {0, 8}, {8, 0}
assert list(ONE) != list(OTHER)


@pytest.mark.parametrize(
    ("params", "again"),
    [
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}),
        ({"pair": (1, 2)}, {"pair": [1, 2]}),
        ({"by_number": {"2": "x", "10": "y"}}, {"by_number": {"10": "y", "2": "x"}}),
        (Choice(regions=ONE), Choice(regions=OTHER)),
        (
            Choice(regions=set(), days={"a": frozenset(ONE)}),
            Choice(regions=set(), days={"a": frozenset(OTHER)}),
        ),
    ],
)
def test_the_same_key_with_equal_params_is_the_same_orchestration_however_they_are_written(
    service: OrchestrationService, stores: Stores, params: Any, again: Any
) -> None:
    first = service.kick_off_job("count", [params], key="nightly")
    started = stores.event_log.read_started(first.id)
    written = stores.payloads.get(started.params_key)
    assert service.kick_off_job("count", [again], key="nightly").id == first.id
    # and the params stay as they were first given
    assert stores.payloads.get(started.params_key) == written


def test_params_arrive_with_their_keys_in_the_order_in_which_they_were_given(
    service: OrchestrationService, stores: Stores
) -> None:
    orchestration = service.kick_off_job("count", [{"b": 1, "a": 2}])
    started = stores.event_log.read_started(orchestration.id)
    assert stores.payloads.get(started.params_key) == b'{"b":1,"a":2}\n'


@pytest.mark.parametrize(
    "stage",
    [
        Stage("count", params=[{"pair": (1, 2), "day": date(2026, 1, 1), "price": Decimal("1.10")}]),
        Stage("count", params={"b": {"d": 1.0}, "a": None}),
        Stage(
            "count", params=[{"n": 1}], timeout=timedelta(minutes=1), retry=Retry(give_up_on=(LookupError,))
        ),
    ],
)
def test_the_same_key_with_the_same_stages_is_the_same_orchestration(
    service: OrchestrationService, stage: Stage
) -> None:
    first = service.kick_off_job("count", [{"n": 1}], key="nightly", then=stage)
    again = service.kick_off_job("count", [{"n": 1}], key="nightly", then=replace(stage))
    assert again.id == first.id


def test_sets_in_the_params_of_a_stage_are_equal_in_any_order(service: OrchestrationService) -> None:
    first, again = (
        service.kick_off_job("count", [], key="nightly", then=Stage("count", params=[{"regions": regions}]))
        for regions in (ONE, OTHER)
    )
    assert again.id == first.id


@pytest.mark.parametrize("other", [{"n": True}, {"n": 1.0}, {"n": "1"}, {"n": 1, "m": None}])
def test_the_same_key_with_another_stage_is_refused(
    service: OrchestrationService, other: dict[str, Any]
) -> None:
    """Python takes 1, 1.0 and True for equal, but a job is handed one of them."""
    service.kick_off_job("count", [], key="nightly", then=Stage("count", params=[{"n": 1}]))
    with pytest.raises(KickOffConflict, match="differs in: what follows"):
        service.kick_off_job("count", [], key="nightly", then=Stage("count", params=[other]))


def test_the_same_key_with_other_params_is_refused_and_leaves_the_first_alone(
    service: OrchestrationService, stores: Stores
) -> None:
    first = service.kick_off_job("count", [{"n": 1}], key="nightly")
    with pytest.raises(KickOffConflict, match="differs in: the number of params, the params"):
        service.kick_off_job("count", [{"n": 2}, {"n": 3}], key="nightly")
    event = stores.event_log.read_started(first.id)
    assert list(stores.payloads.lines(event.params_key)) == [b'{"n":1}']


def test_the_same_key_in_another_service_is_another_orchestration(service: OrchestrationService) -> None:
    first = service.kick_off_job("count", [{"n": 1}], key="nightly")
    other = service.kick_off_job("count", [{"n": 2}], key="nightly", service="billing")
    assert other.id != first.id


def test_an_id_that_another_service_has_is_refused_and_the_service_named(
    service: OrchestrationService, stores: Stores, settings: Settings
) -> None:
    first = service.kick_off_job("count", [{"n": 1}])
    request = KickOffRequest(job_name="count", options=KickOffOptions(service="billing"), known_id=first.id)
    with pytest.raises(KickOffConflict, match="differs in: the service, which is 'default'"):
        kick_off(request, [{"n": 1}], stores, settings)
    assert service.orchestration(first.id).summary().total == 1


def test_a_kick_off_is_one_call_of_the_log_and_a_second_one_reads_nothing(
    service: OrchestrationService, dynamodb_calls: list[str]
) -> None:
    for _ in ("a kick-off", "the same once more"):
        service.kick_off_job("count", [{"n": 1}], key="nightly")
        assert dynamodb_calls == ["TransactWriteItems"]
        dynamodb_calls.clear()


def test_a_kick_off_at_the_same_moment_as_another_is_tried_again(
    service: OrchestrationService, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, codes = clients.dynamodb(), ["TransactionConflict", "ThrottlingError"]
    write = client.transact_write_items

    def refuse_twice(**request: Any) -> Any:
        if not codes:
            return write(**request)
        reasons = [{"Code": codes.pop()}, {"Code": "None"}]
        error: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
        raise client.exceptions.TransactionCanceledException(error, "TransactWriteItems")

    monkeypatch.setattr(client, "transact_write_items", refuse_twice)
    assert service.kick_off_job("count", [{"n": 1}]).summary().total == 1
    assert codes == []


@pytest.mark.parametrize("name", ["not-an-id", "0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11"])
def test_an_unknown_id_is_explained(service: OrchestrationService, name: str) -> None:
    with pytest.raises(OrchestrationNotFound, match="Check the id"):
        service.orchestration(name)


@pytest.mark.parametrize("name", ["", "x" * 81])
def test_a_job_name_that_no_job_can_have_is_refused(service: OrchestrationService, name: str) -> None:
    with pytest.raises(InvalidKickOff, match="1 to 80 characters"):
        service.kick_off_job(name, [{}])


def test_what_cannot_end_is_refused_before_anything_is_stored(
    service: OrchestrationService, settings: Settings
) -> None:
    # given a job of which a hundred instances would take longer in one container than anything of it is kept
    @job_name("census", expected=timedelta(days=1))
    def census(params: dict[str, int]) -> None:
        pass

    # when it is kicked off, then it is refused with what to do, and in as many containers it is not
    params = [{"n": n} for n in range(100)]
    with pytest.raises(
        InvalidKickOff, match=r"1 container busy for 100 days.* 90 at the most.* Use 2 containers or more"
    ):
        service.kick_off_job(census, params, parallelism=1)
    assert clients.s3().list_objects_v2(Bucket=settings.payload_bucket)["KeyCount"] == 0
    assert service.kick_off_job(census, params, parallelism=2).id


def test_what_runs_several_instances_at_once_in_a_container_can_end_sooner(
    service: OrchestrationService,
) -> None:
    @job_name("census", expected=timedelta(days=1), concurrency=2)
    def census(params: dict[str, int]) -> None:
        pass

    assert service.kick_off_job(census, [{"n": n} for n in range(180)], parallelism=1).id
    with pytest.raises(InvalidKickOff, match=r"busy for 91 days.* Use 2 containers or more"):
        service.kick_off_job(census, [{"n": n} for n in range(181)], parallelism=1)


def test_a_longest_attempt_says_nothing_of_how_long_it_takes(service: OrchestrationService) -> None:
    @job_name("census", timeout=timedelta(days=7))
    def census(params: dict[str, int]) -> None:
        pass

    assert service.kick_off_job(census, [{"n": n} for n in range(100)], parallelism=1).id


@pytest.mark.parametrize("params", [{"n": 1}, "n", None, 5])
def test_params_that_are_no_list_start_nothing_and_are_shown_as_one(
    service: OrchestrationService, params: Any
) -> None:
    with pytest.raises(InvalidKickOff, match=r"params=.* into a list"):
        service.kick_off_job("double", params)


def test_more_instances_than_an_orchestration_has_start_nothing(
    service: OrchestrationService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "INSTANCES", 3)
    service.kick_off_job("double", [{}] * 3)
    with pytest.raises(InvalidKickOff, match="up to 3 instances"):
        service.kick_off_job("double", iter([{}] * 4))


def test_the_service_of_the_settings_is_refused_where_the_environment_has_no_such(settings: Settings) -> None:
    elsewhere = settings.model_copy(update={"service": "biling", "service_names": ("billing",)})
    with pytest.raises(InvalidKickOff, match="no service 'biling' in this environment"):
        OrchestrationService(elsewhere).kick_off_job("count", [{"n": 1}])
    with pytest.raises(InvalidKickOff, match="no service 'biling' in this environment"):
        OrchestrationService(elsewhere).job("count", service="biling")


def test_a_service_its_handles_and_their_failures_can_be_handed_to_another_process(
    service: OrchestrationService, stores: Stores, aggregate: Callable[[], Any]
) -> None:
    # given an orchestration that was cancelled
    orchestration = service.kick_off_job("count", [{"n": 1}])
    orchestration.cancel()
    assert close_unfinished(CloseRequest(orchestration_id=orchestration.id), stores) == 1
    assert [aggregate() for _ in range(2)] == [[], []]

    # when all that a caller holds of it is pickled
    results = orchestration.results(timeout=0)
    again, handle, read = pickle.loads(pickle.dumps((service, orchestration, results)))

    # then each works as before
    assert again.orchestration(orchestration.id).id == handle.id == orchestration.id
    assert read.failures is not None
    assert results.failures is not None
    assert [failure.error for failure in read.failures] == [failure.error for failure in results.failures]
