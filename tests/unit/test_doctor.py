"""How facts of AWS are judged, where no environment is needed to see it."""

import pytest

from background_jobs.core.doctor.consistency import StackFacts, judge_clock, judge_stack, judge_version
from background_jobs.core.doctor.findings import Level
from background_jobs.core.doctor.functions import FunctionFacts, MappingFacts, judge_functions, judge_mapping
from background_jobs.core.doctor.services import (
    EcrImage,
    TaskDefinitionFacts,
    judge_image,
    judge_log_group,
    parse_ecr_image,
)

REGISTRY = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
DIGEST = f"sha256:{'0' * 64}"
DEFINITION = TaskDefinitionFacts("jobs:7", "ACTIVE", 512, "X86_64", f"{REGISTRY}/jobs:7", "jobs")


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (f"{REGISTRY}/jobs", ("jobs", "latest", None)),
        (f"{REGISTRY}/team/jobs:7", ("team/jobs", "7", None)),
        (f"{REGISTRY}/jobs@{DIGEST}", ("jobs", None, DIGEST)),
        (f"{REGISTRY}/jobs:7@{DIGEST}", ("jobs", "7", DIGEST)),
    ],
)
def test_an_image_of_ecr_has_a_tag_or_a_digest(
    image: str, expected: tuple[str, str | None, str | None]
) -> None:
    assert parse_ecr_image(image) == EcrImage("123456789012", "eu-central-1", *expected)


@pytest.mark.parametrize("image", ["jobs:7", "docker.io/team/jobs", "public.ecr.aws/team/jobs:7", ""])
def test_an_image_of_another_registry_is_none_of_ecr(image: str) -> None:
    assert parse_ecr_image(image) is None


def test_an_index_of_images_needs_one_for_the_architecture_of_the_service() -> None:
    def index(*architectures: str) -> dict[str, object]:
        return {"manifests": [{"platform": {"architecture": name}} for name in architectures]}

    assert judge_image("s", DEFINITION, index("arm64", "amd64", "unknown")).level is Level.OK
    assert judge_image("s", DEFINITION, index("arm64", "unknown")).level is Level.PROBLEM


def test_a_manifest_of_one_image_says_nothing_of_its_architecture() -> None:
    found = judge_image("s", DEFINITION, {"config": {}, "layers": []})
    assert found.level is Level.OK
    assert found.sentence == "s: its image is in ECR; its manifest does not say for which architecture."


def test_containers_without_a_log_group_are_a_warning() -> None:
    assert judge_log_group("s", "", exists=False).level is Level.WARNING


@pytest.mark.parametrize(
    ("status", "level"),
    [
        ("CREATE_COMPLETE", Level.OK),
        ("IMPORT_COMPLETE", Level.OK),
        ("UPDATE_COMPLETE", Level.OK),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Level.WARNING),
        ("UPDATE_IN_PROGRESS", Level.WARNING),
        ("UPDATE_ROLLBACK_COMPLETE", Level.WARNING),
        ("CREATE_FAILED", Level.PROBLEM),
        ("DELETE_FAILED", Level.PROBLEM),
        ("ROLLBACK_COMPLETE", Level.PROBLEM),
        ("UPDATE_ROLLBACK_FAILED", Level.PROBLEM),
    ],
)
def test_the_state_of_the_stack_is_judged(status: str, level: Level) -> None:
    assert judge_stack(StackFacts("stack", status, {})).level is level


def test_an_environment_that_does_not_say_its_release_is_older() -> None:
    found = judge_version("0.2.0", {})
    assert found.level is Level.WARNING
    assert "the environment was deployed with an earlier one" in found.sentence


@pytest.mark.parametrize(("offset", "words"), [(400.0, "400 s behind AWS's"), (-7.0, "7 s ahead of AWS's")])
def test_a_clock_that_is_wrong_is_told(offset: float, words: str) -> None:
    assert words in judge_clock(offset).sentence
    assert judge_clock(offset).level is Level.WARNING


def test_what_is_being_updated_is_asked_again() -> None:
    (found,) = judge_functions([FunctionFacts("f", "Pending", "Successful", "")])
    assert found.level is Level.WARNING
    assert judge_mapping(MappingFacts("id", "f", "Updating", "OK")).level is Level.WARNING


def test_a_function_that_lambda_has_put_aside_is_well() -> None:
    (found,) = judge_functions([FunctionFacts("f", "Inactive", "Successful", "The function is idle")])
    assert found.level is Level.OK
