"""Registering and calling jobs, as their authors write them."""

import functools
import json
import math
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from background_jobs.core.errors import InvalidJob, UnknownJobName
from background_jobs.core.retry import GiveUp, Retry
from background_jobs.jobs import JobContext, Jobs, find_definition, job_name

CONTEXT = JobContext("greet", "o", "j", 3, 1, {"customer": "acme"})


class Name(BaseModel):
    name: str


@job_name("greet")
class Greet:
    def run(self, params: Name, job: JobContext) -> str:
        return f"{params.name} is number {job.index} of {job.tags['customer']}"


@job_name("double")
def double(params: dict[str, int]) -> int:
    return 2 * params["n"]


def run(target: object, params: dict[str, object]) -> object:
    definition = find_definition(target)
    return definition(definition.read_params(json.dumps(params).encode()), CONTEXT)


def test_a_class_gets_typed_params_and_its_context() -> None:
    assert run(Greet, {"name": "Ada"}) == "Ada is number 3 of acme"


def test_a_function_is_a_job_and_calling_it_stays_a_plain_local_call() -> None:
    """A team tests its job by calling it, without anything of this package."""
    assert run(double, {"n": 4}) == 8
    assert double({"n": 4}) == 8


def test_params_that_do_not_fit_their_type_are_refused() -> None:
    with pytest.raises(GiveUp, match="do not fit the job 'greet': name is missing"):
        run(Greet, {"nom": "Ada"})


def test_a_subclass_is_no_job_until_it_is_decorated_itself() -> None:
    """It would inherit the name of its parent, and one name serves one job."""

    class Louder(Greet):
        pass

    with pytest.raises(InvalidJob, match="decorate it"):
        Jobs([Louder])


@pytest.mark.parametrize("name", ["", "two words", "x" * 81, "-dash", "ümlaut", 123, None, b"x"])
def test_a_bad_job_name_is_refused(name: Any) -> None:
    with pytest.raises(InvalidJob, match="cannot be a job name"):
        job_name(name)


def test_a_job_name_without_parentheses_is_answered_with_what_to_write() -> None:
    with pytest.raises(InvalidJob, match=r'write @job_name\("Greet"\)'):
        job_name(Greet)  # type: ignore[arg-type] # as people write it


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ({"retry": 3}, r"retry=3 \(int\): write retry=Retry\(max_attempts=3\)"),
        ({"retry": Retry}, "write retry=Retry"),
        ({"process_per_instance": 1}, "write True or False"),
        ({"reuse_process": "yes"}, r"reuse_process='yes' \(str\): write True or False"),
        ({"reuse_process": True, "process_per_instance": True}, "Leave out one of the two"),
        ({"timeout": "5"}, r"timeout='5' \(str\): write it in seconds"),
        ({"timeout": True}, "write it in seconds"),
        ({"timeout": math.nan}, "must be above 0"),
        ({"timeout": math.inf}, "at most 7 days"),
        ({"timeout": 10**400}, "at most 7 days"),
        ({"hedge": 1}, r"hedge=1 \(int\): write True or False"),
        ({"hedge": True, "concurrency": 2}, "cannot be stopped for sure when a copy is done first"),
        ({"concurrency": True}, r"concurrency=True \(bool\): write how many instances run at once"),
        ({"concurrency": "8"}, "as in concurrency=8"),
        ({"concurrency": 0}, "concurrency=0; it must be from 1 to 1,000"),
        ({"concurrency": 1_001}, "it must be from 1 to 1,000"),
    ],
)
def test_an_option_of_another_type_is_refused(option: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidJob, match=f"'count'.*{reason}"):
        job_name("count", **option)


@pytest.mark.parametrize("jobs", [Greet, "greet", 3, []])
def test_jobs_that_are_no_list_are_answered_with_what_to_write(jobs: Any) -> None:
    with pytest.raises(InvalidJob, match=r"takes a list of jobs, as in \[ProcessBatch\]"):
        Jobs(jobs)


def test_one_name_serves_one_job() -> None:
    with pytest.raises(InvalidJob, match="Two jobs"):
        Jobs([double, double])


def renamed(params: dict[str, int]) -> int:
    return 3 * params["n"]


def test_a_renamed_job_is_found_under_the_names_that_it_had() -> None:
    jobs = Jobs([job_name("triple", aliases=["thrice", "times-3"])(renamed), double])
    assert jobs.get("thrice") is jobs.get("times-3") is jobs.get("triple")
    assert jobs.names == ["double", "thrice", "times-3", "triple"]
    assert [(job.name, job.aliases) for job in jobs.describe()] == [
        ("double", ()),
        ("triple", ("thrice", "times-3")),
    ]


def test_aliases_of_a_job_go_with_it_through_a_decorator_above() -> None:
    @functools.wraps(registered := job_name("triple", aliases=["thrice"])(renamed))
    def logged(params: dict[str, int]) -> int:
        return registered(params)

    assert Jobs([logged]).names == ["thrice", "triple"]


@pytest.mark.parametrize("names", [("double", ["twice"]), ("twice", ["double"]), ("twice", ["greet"])])
def test_one_name_or_alias_serves_one_job(names: tuple[str, list[str]]) -> None:
    other = job_name(names[0], aliases=names[1])(renamed)
    with pytest.raises(InvalidJob, match="may be used once"):
        Jobs([double, Greet, other])


@pytest.mark.parametrize(
    ("aliases", "reason"),
    [
        ("thrice", r"aliases='thrice' \(str\): write the names that it had before in a list"),
        (3, "in a list"),
        (["two words"], "'two words'.* cannot be a job name"),
        ([3], "cannot be a job name"),
        (["triple"], "'triple' twice, or as its name"),
        (["thrice", "thrice"], "'thrice' twice"),
    ],
)
def test_aliases_that_cannot_be_are_refused(aliases: Any, reason: str) -> None:
    with pytest.raises(InvalidJob, match=reason):
        job_name("triple", aliases=aliases)


def test_an_unknown_name_is_answered_with_those_that_exist() -> None:
    with pytest.raises(UnknownJobName, match=r"'doubel'.*'double', 'greet'"):
        Jobs([Greet, double]).get("doubel")


@pytest.mark.parametrize("seconds", [0, -1, timedelta(days=8)])
def test_a_timeout_that_cannot_be_is_refused_where_it_is_written(seconds: float | timedelta) -> None:
    for option in ("timeout", "expected"):
        with pytest.raises(InvalidJob, match=rf"{option}=.* must be above 0, and at most 7 days"):
            job_name("count", **{option: seconds})  # type: ignore[arg-type] # the names of two options
