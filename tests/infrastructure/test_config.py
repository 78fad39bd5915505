from typing import Any

import pytest
from pydantic import ValidationError

from cdk.config import ServiceConfig, StageConfig, stage_named


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
