"""Instances that are found by their params, over the history of their job."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from background_jobs import InvalidTimeRange, OrchestrationService
from background_jobs.aws.stores import Stores
from background_jobs.core.views.found_instances import FoundInstance


def places(found: list[FoundInstance]) -> list[tuple[str, int, str]]:
    return [(one.orchestration_id, one.instance.index, one.instance.status.value) for one in found]


@pytest.fixture
def later(service: OrchestrationService, done: str, aggregate: Callable[[], list[Any]]) -> str:
    """Another orchestration of the job of *done*, which still runs, and has 3 twice."""
    params: list[dict[str, Any]] = [
        {"n": 3, "of": {"a": 1, "b": 2}},
        {"n": 4},
        {"n": 3},
        {"n": "3"},
        {"n": True},
    ]
    orchestration = service.kick_off_job("halve", params, parallelism=1)
    assert aggregate() == []
    return orchestration.id


def test_they_are_found_newest_first_with_status_and_error(
    service: OrchestrationService, done: str, later: str
) -> None:
    found = service.find_instances("halve", {"n": 3})
    assert places(found) == [(later, 0, "InProgress"), (later, 2, "InProgress"), (done, 1, "Errored")]
    assert [one.error and one.error.message for one in found] == [None, None, "3 is odd"]
    assert (found[2].params, found[2].tags) == ({"n": 3}, {"customer": "acme"})
    assert places(service.find_instances("halve", {"n": 2})) == [(done, 0, "Completed")]


@pytest.mark.parametrize(
    ("wanted", "indices"),
    [({"of": {"b": 2}}, [0]), ({"n": "3"}, [3]), ({"n": True}, [4]), ({"n": 3, "of": {"a": 2}}, []), ({"m": None}, [])],
)  # fmt: skip
def test_values_are_those_of_json_and_an_object_has_the_fields_that_are_named(
    service: OrchestrationService, later: str, wanted: dict[str, Any], indices: list[int]
) -> None:
    assert places(service.find_instances("halve", wanted)) == [
        (later, index, "InProgress") for index in indices
    ]


def test_texts_are_found_however_json_writes_them(
    service: OrchestrationService, aggregate: Callable[[], list[Any]]
) -> None:
    texts = ["plain", 'quo"ted', "back\\slash", "M\u00fcller", "\u2028", ""]
    service.kick_off_job("halve", [{"name": text} for text in texts])
    assert aggregate() == []
    found = [service.find_instances("halve", {"name": text}) for text in texts]
    assert [[one.params["name"] for one in each] for each in found] == [[text] for text in texts]


def test_the_latest_are_kept_and_times_bound_them(
    service: OrchestrationService, done: str, later: str
) -> None:
    assert places(service.find_instances("halve", {"n": 3}, limit=1)) == [(later, 0, "InProgress")]
    assert service.find_instances("halve", {"n": 3}, until=datetime.now(UTC) - timedelta(days=1)) == []
    assert service.find_instances("other", {"n": 3}) == []
    with pytest.raises(InvalidTimeRange):
        service.find_instances("halve", {"n": 3}, since=datetime(2026, 1, 1))  # noqa: DTZ001 -- it has no zone


def test_an_orchestration_whose_params_have_expired_hides_no_other(
    service: OrchestrationService, stores: Stores, done: str, later: str
) -> None:
    stores.payloads.remove(stores.event_log.read_started(later).params_key)
    assert places(service.find_instances("halve", {"n": 3})) == [(done, 1, "Errored")]
