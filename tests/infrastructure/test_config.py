from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from background_jobs.core.schedules import Overlap
from cdk.config import ServiceConfig, StageConfig, stage_named
from cdk.schedule_config import ScheduleConfig


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"cpu": 300}, "no cpu=300; use one of"),
        ({"cpu": 256, "memory_mib": 8192}, r"with cpu=256 Fargate has no memory_mib=8192; use one of \[512"),
        ({"name": "Billing Service"}, "String should match pattern"),
    ],
)
def test_what_fargate_does_not_offer_is_found_at_synthesis(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ServiceConfig(**({"name": "billing", "image": "i"} | fields))


def test_a_service_without_an_image_is_refused() -> None:
    with pytest.raises(ValidationError, match="image"):
        ServiceConfig(name="billing")  # type: ignore[call-arg] # the point


def test_two_services_of_one_name_are_refused() -> None:
    service = ServiceConfig(name="billing", image="i")
    with pytest.raises(ValidationError, match="named twice: billing"):
        StageConfig(stage="prod", services=(service, service))


def test_a_stage_without_services_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least 1 item"):
        StageConfig(stage="prod", services=())


def test_an_unknown_stage_is_answered_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match=r"'staging'.*dev, prod"):
        stage_named("staging")


def nightly(**fields: Any) -> ScheduleConfig:
    return ScheduleConfig(**({"name": "nightly", "job_name": "report", "cron": "0 3 * * *"} | fields))


def test_a_schedule_is_declared_with_params_of_its_own_or_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "params.jsonl").write_text('{"region": "eu"}\n{"region": "us"}\n')
    assert nightly().definition("billing").service == "billing"
    definition = nightly(params=tmp_path / "params.jsonl", overlap=Overlap.ALLOW).definition("billing")
    assert definition.params == ({"region": "eu"}, {"region": "us"})
    assert (definition.overlap, definition.declared) == (Overlap.ALLOW, True)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"cron": "61 * * * *"}, "'61' is no minute"),
        ({"cron": "0 3 1 * MON"}, "make a schedule for each of them"),
        ({"cron": "0 0 30 2 *"}, "is not due any more"),
        ({"timezone": "Europe/Bonn"}, "no time zone 'Europe/Bonn'"),
        ({"name": "nightly report"}, "should match pattern"),
        ({"params": ()}, "use 1 to"),
        ({"params": ({"text": "x" * 30_000},)}, "cannot be declared"),
        ({"tags": {"schedule": "mine"}}, "set by the schedule itself"),
    ],
)
def test_a_schedule_that_cannot_be_is_found_at_synthesis(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        nightly(**fields)


def test_schedules_run_in_services_and_limits_that_the_stage_has() -> None:
    services = (ServiceConfig(name="billing", image="i"),)
    for fields, said in (({"service": "biling"}, "no service 'biling'"), ({"parallelism": 7}, "at most 5")):
        with pytest.raises(ValidationError, match=said):
            StageConfig(stage="prod", services=services, schedules=(nightly(**fields),), max_parallelism=5)
    with pytest.raises(ValidationError, match="schedules are named twice: nightly"):
        StageConfig(stage="prod", services=services, schedules=(nightly(), nightly()))
