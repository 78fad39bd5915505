"""Every surface has every option of a kick-off, but for what is in ABSENT with its reason."""

import json
from dataclasses import fields
from datetime import timedelta
from inspect import Parameter, signature
from typing import Any, Final, get_type_hints

import pytest
import typer
from fastapi import FastAPI

from background_jobs import Failures, Orchestration, OrchestrationService, Retry, Stage, aio
from background_jobs.cdk.schedule_config import ScheduleConfig
from background_jobs.cli.main import app as command_line
from background_jobs.cli.options import OPTIONS, Surface
from background_jobs.core import limits
from background_jobs.core.errors import InvalidKickOff
from background_jobs.core.options import (
    KickOffKeywords,
    KickOffOptions,
    OccurrenceKeywords,
    OccurrenceOptions,
    RerunKeywords,
    RerunOptions,
    RunKeywords,
    RunOptions,
    keywords_of,
    read_options,
)
from background_jobs.core.refused_values import InvalidStage
from background_jobs.core.schedules.definition import ScheduleDefinition
from background_jobs.core.schedules.options import TIMING_OPTIONS, ScheduleKeywords, ScheduleOptions
from background_jobs.core.schedules.timing import Timing
from background_jobs.progress_api import orchestrations, schedules

ABSENT: Final = {
    ("stage", "key"): "its id follows from the stage before",
    ("stage", "notify"): "it takes over those of the stage before",
    ("stage", "tags"): "it takes over those of the stage before",
    ("stage", "parent_id"): "its parent is the stage before",
    ("schedule", "key"): "the id of an occurrence follows from the schedule and the time",
    ("schedule", "parent_id"): "nothing comes before an occurrence",
    ("rerun", "service"): "the service of the orchestration runs it again",
    (
        "rerun",
        "then",
    ): "the stages of the orchestration follow, where its pipeline stopped or `next_stages` says so",
    ("rerun", "parent_id"): "its parent is the orchestration",
}
"""The options of a kick-off that something else that is started does not have, and why."""

OF_RERUNS: Final = {"only", "cause", "indices", "params", "params_patch", "next_stages"}
OF_SCHEDULES: Final = {*TIMING_OPTIONS, "overlap", "jitter"}
"""What a rerun and a schedule take beside the options of a kick-off."""


class Unshowable:
    def __repr__(self) -> str:
        raise OSError("no")


def list_expected_options(what: str) -> set[str]:
    """Return the options of a kick-off that *what* is to have, too."""
    return {name for name in KickOffOptions.model_fields if (what, name) not in ABSENT}


def keywords(function: Any) -> set[str]:
    """Return the keywords of a function that takes them as ``**options``."""
    (options,) = [p for p in signature(function).parameters.values() if p.kind is Parameter.VAR_KEYWORD]
    (typed,) = options.annotation.__args__
    return set(get_type_hints(typed))


def body(route: str, method: str) -> dict[str, Any]:
    """Return the schema of the body of a route."""
    app = FastAPI()
    app.include_router(orchestrations.router)
    app.include_router(schedules.router)
    document = app.openapi()
    content = document["paths"][route][method]["requestBody"]["content"]
    name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schema: dict[str, Any] = document["components"]["schemas"][name]
    assert schema["additionalProperties"] is False
    return schema


def spell_in_json(model: type[RunOptions], names: set[str]) -> set[str]:
    """Return *names* as JSON spells them."""
    return {model.model_fields[name].alias or name for name in names}


def parameters(*words: str) -> set[str]:
    """Return the names of the parameters of a command."""
    command: Any = typer.main.get_command(command_line)
    for word in words:
        command = command.commands[word]
    return {parameter.name for parameter in command.params}


@pytest.mark.parametrize(
    ("typed", "model"),
    [
        (RunKeywords, RunOptions),
        (RerunKeywords, RerunOptions),
        (OccurrenceKeywords, OccurrenceOptions),
        (KickOffKeywords, KickOffOptions),
        (ScheduleKeywords, ScheduleOptions),
    ],
)
def test_the_typed_keywords_are_the_fields_of_the_model(typed: type, model: type[RunOptions]) -> None:
    assert list(get_type_hints(typed)) != []
    assert set(get_type_hints(typed)) == set(model.model_fields)


def test_reruns_occurrences_and_stages_have_every_option_that_is_not_excused() -> None:
    assert set(RerunOptions.model_fields) == list_expected_options("rerun") | OF_RERUNS
    assert set(OccurrenceOptions.model_fields) == list_expected_options("schedule")
    assert {field.name for field in fields(Stage)} == list_expected_options("stage") | {
        "job_name", "params", "on_failure",
    }  # fmt: skip


@pytest.mark.parametrize("service", [OrchestrationService, aio.OrchestrationService])
def test_the_sdk_and_its_asynchronous_twin_have_every_option(service: Any) -> None:
    assert keywords(service.kick_off_job) == set(KickOffOptions.model_fields)
    assert keywords(service.rerun) == list_expected_options("rerun") | OF_RERUNS
    assert keywords(service.schedule_job) == list_expected_options("schedule") | OF_SCHEDULES


@pytest.mark.parametrize("rerun", [Orchestration.rerun, aio.Orchestration.rerun, Failures.rerun])
def test_every_handle_reruns_with_every_option(rerun: Any) -> None:
    assert keywords(rerun) == list_expected_options("rerun") | OF_RERUNS


def test_the_docstring_of_a_kick_off_explains_every_option() -> None:
    text = OrchestrationService.kick_off_job.__doc__ or ""
    assert [name for name in KickOffOptions.model_fields if f"*{name}*" not in text] == []


@pytest.mark.parametrize(
    ("route", "method", "model", "names"),
    [
        (
            "/orchestrations",
            "post",
            KickOffOptions,
            list_expected_options("kick-off") | {"job_name", "params"},
        ),
        (
            "/orchestrations/{orchestration_id}/rerun",
            "post",
            RerunOptions,
            list_expected_options("rerun") | OF_RERUNS,
        ),
        (
            "/schedules/{name}",
            "put",
            ScheduleOptions,
            list_expected_options("schedule") | OF_SCHEDULES | {"job_name", "params"},
        ),
    ],
)
def test_the_bodies_of_the_api_have_every_option(
    route: str, method: str, model: type[RunOptions], names: set[str]
) -> None:
    others = names - set(model.model_fields)
    properties = body(route, method)["properties"]
    assert set(properties) == spell_in_json(model, names - others) | others


@pytest.mark.parametrize(
    ("surface", "words", "names"),
    [
        ("kick-off", ["kick-off"], list_expected_options("kick-off")),
        ("rerun", ["rerun"], list_expected_options("rerun") | OF_RERUNS),
        ("schedule create", ["schedule", "create"], list_expected_options("schedule")),
    ],
)
def test_the_command_line_has_every_option(surface: Surface, words: list[str], names: set[str]) -> None:
    options = [option for option in OPTIONS if surface in option.surfaces]
    assert {option.keyword for option in options} == names
    assert {name for option in options for name in option.parameters} <= parameters(*words)
    assert surface != "schedule create" or parameters(*words) >= OF_SCHEDULES


def test_a_schedule_of_the_stack_and_a_stored_one_have_every_option() -> None:
    # A template depends on nothing but its source, so it has schedules by cron alone.
    assert set(ScheduleConfig.model_fields) == list_expected_options("schedule") | {
        "name", "job_name", "params", "cron", "timezone", "overlap", "jitter",
    }  # fmt: skip
    stored = set(ScheduleDefinition.model_fields)
    assert list_expected_options("schedule") | {"overlap", "jitter"} <= stored
    assert set(TIMING_OPTIONS) == set(Timing.model_fields)


def test_every_excuse_names_an_existing_option_that_is_absent() -> None:
    assert {name for _, name in ABSENT} <= set(KickOffOptions.model_fields)
    others = {"stage": {field.name for field in fields(Stage)}}
    others |= {"rerun": set(RerunOptions.model_fields), "schedule": set(OccurrenceOptions.model_fields)}
    assert [(what, name) for what, name in ABSENT if name in others[what]] == []


def test_what_is_none_is_the_default_and_a_span_becomes_seconds() -> None:
    options = read_options(
        KickOffOptions, {"parallelism": None, "tags": None, "timeout": timedelta(minutes=2)}
    )
    assert (options.parallelism, options.tags, options.timeout) == (None, {}, 120)
    assert keywords_of(RunOptions, options) == dict.fromkeys(RunOptions.model_fields) | {"timeout": 120}


@pytest.mark.parametrize(
    ("keywords", "reason"),
    [
        ({"parallelism": 10_001}, r"^parallelism=10001 must be from 1 to 5, the limit"),
        ({"parallelism": "many"}, "must be a whole number from 1 to 5"),
        ({"parallelism": "2"}, "^parallelism='2' must be a whole number from 1 to 5"),
        ({"parallelism": 2.0}, "^parallelism=2.0 must be a whole number from 1 to 5"),
        ({"parallelism": True}, "^parallelism=True must be a whole number from 1 to 5"),
        ({"parallelism": Unshowable()}, "^parallelism=an object must be a whole number from 1 to 5"),
        ({"timeout": "60"}, "^A timeout of '60' cannot be: a number of seconds or a timedelta is needed"),
        ({"timeout": True}, "^A timeout of True s cannot be"),
        ({"timeout": 10**5_000}, "^A timeout of an object s cannot be"),
        ({"retry": {"max_attempts": True}}, "a bool is no number"),
        ({"then": {"job_name": "load", "timeout": True}}, "a bool is no number"),
        ({"retry": Unshowable()}, "^retry=an object must be an object"),
        ({"service": Unshowable()}, "^service=an object cannot be"),
        ({"key": "caf\udce9"}, "no text"),
        ({"key": "x" * 257}, "1 to 256 characters, not 257"),
        ({"key": 20261124}, "^key=20261124: a key is a str"),
        ({"key": b"20261124"}, "^key=b'20261124': a key is a str"),
        ({"service": "No Service"}, "a name has 1 to 40 lower-case letters"),
        ({"timeout": float("nan")}, "up to 7 days"),
        ({"tags": {"a": 1}}, "str to str"),
        ({"tags": ["a"]}, "str to str"),
        ({"parent_id": "../7c0e"}, "is no id of an orchestration"),
        ({"retry": 3}, "retry=3"),
        ({"then": Stage("load", params=[{"text": "x" * limits.STAGES_BYTES}])}, "65,536 is the most"),
        ({"then": Stage("load", params=[{"tree": json.loads("[" * 98 + "]" * 98)}])}, "than 100 levels"),
    ],
)
def test_an_option_that_cannot_be_is_refused_in_one_sentence(keywords: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidKickOff, match=reason) as refused:
        read_options(KickOffOptions, keywords, most=5)
    assert "\n" not in str(refused.value)


def test_an_unknown_option_is_a_type_error_as_in_python() -> None:
    with pytest.raises(TypeError, match="no option 'paralelism'"):
        read_options(KickOffOptions, {"paralelism": 2})


def test_a_stored_schedule_spells_its_timeout_with_the_unit_and_leaves_out_what_it_does_not_know() -> None:
    stored = {
        "name": "nightly", "job_name": "report", "service": "default",
        "timing": {"cron": "0 3 * * ? *"}, "timeout_seconds": 60, "colour": "blue",
    }  # fmt: skip
    definition = ScheduleDefinition.model_validate(stored)
    assert definition.timeout == 60
    written = definition.model_dump(mode="json", exclude_defaults=True)
    assert written == {name: value for name, value in stored.items() if name != "colour"}


def test_an_occurrence_takes_over_the_options_of_its_schedule() -> None:
    retry = Retry(max_attempts=4)
    options = OccurrenceOptions(parallelism=2, retry=retry, tags={"customer": "acme"}, then=Stage("load"))
    occurrence = options.kick_off_options(tags={"schedule": "nightly"})
    assert (occurrence.parallelism, occurrence.retry, occurrence.then) == (2, retry, Stage("load"))
    assert occurrence.tags == {"customer": "acme", "schedule": "nightly"}
    assert (occurrence.key, occurrence.parent_id) == (None, None)


def test_the_options_of_a_stage_override_those_of_the_stage_before() -> None:
    stage = Stage("load", timeout=timedelta(minutes=1), parallelism=3)
    options = KickOffOptions.of_stage(stage, tags={"a": "b"}, service="billing")
    assert (options.service, options.timeout, options.parallelism) == ("billing", 60, 3)
    # A schedule adds its own tags to those that its maker was allowed.
    tags = {"a": "x" * (limits.TAG_CHARACTERS - 1), "schedule": "nightly"}
    assert KickOffOptions.of_stage(stage, tags=tags, service="billing").tags == tags
    assert KickOffOptions.of_stage(Stage("load", service="own"), tags={}, service="billing").service == "own"
    with pytest.raises(InvalidKickOff, match="lower-case"):
        KickOffOptions.of_stage(Stage("load", service="No"), tags={}, service="billing")


def test_a_stage_has_the_bounds_of_a_kick_off() -> None:
    for bad in ({"parallelism": limits.PARALLELISM + 1}, {"timeout": limits.TIMEOUT_SECONDS + 1}):
        with pytest.raises(InvalidStage):
            Stage("load", **bad)  # type: ignore[arg-type] # the point
