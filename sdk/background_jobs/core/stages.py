"""The stages of a pipeline: what is kicked off after an orchestration, and where its params come from."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict
from pydantic.dataclasses import dataclass

from background_jobs.core import limits
from background_jobs.core.bounds import JobName, Parallelism, TimeoutSeconds, TimeoutSpan
from background_jobs.core.errors import BackgroundJobsError
from background_jobs.core.job_descriptions import JOB_MARK
from background_jobs.core.json_places import describe
from background_jobs.core.payloads import plain_json
from background_jobs.core.refused_values import InvalidStage, explains_itself
from background_jobs.core.retry import Retry

PIPELINE_CANCELLED: Final = "The pipeline was cancelled."
"""Why a stage is not started after a cancellation; the pipeline is Cancelled where it says so."""
_REFERENCE: Final = re.compile(r"\$(results?|params|item)((?:\.[^.]+)*)|\$(index|job_id)")
_ALL_RESULTS: Final = "$results"
_ITEM: Final = re.compile(r"\$item(\.|$)")


class MissingReference(BackgroundJobsError):
    """The params of a stage refer to what an instance of the stage before does not have."""

    def __init__(self, reference: str, index: int) -> None:
        self.reference, self.index = reference, index
        super().__init__(f"Instance {index} of the stage before has no {reference}.")


class NoItems(BackgroundJobsError):
    """A stage is to have an instance for each item of a result that is no list."""

    def __init__(self, index: int, result: str) -> None:
        super().__init__(
            f"The result of instance {index} of the stage before is {result}, not a list, and has no items."
        )


class ParamsTooLarge(BackgroundJobsError):
    """All results of a stage are more than the params of one instance may be."""

    def __init__(self) -> None:
        super().__init__(
            f"All results of the stage before are more than the {limits.INSTANCE_PARAMS_BYTES:,} bytes that "
            "the params of one instance may be; take a field of each, as in '$results.<field>', or let "
            "the jobs write them to where the next can read them."
        )


def _check_template(params: object) -> object:
    references = list(_references(params if isinstance(params, Mapping) else {}))
    for text in references:
        if not _REFERENCE.fullmatch(text):
            raise ValueError(
                f"{text!r} refers to nothing: use '$result', '$result.<field>', '$params', "
                "'$params.<field>', '$index' or '$job_id', '$item' or '$item.<field>' for an instance of "
                "each item of the results, '$results' or '$results.<field>' for those of all instances, or "
                "'$$...' for a text that begins with a '$'"
            )
    of_one = [text for text in references if not _is_of_all(text)]
    if of_one and len(of_one) < len(references):
        raise ValueError(
            f"'$results' makes one instance of all results, and {of_one[0]!r} is of a single one: use one or "
            "the other"
        )
    return params if isinstance(params, str) else plain_json(params)


def _name_of(job: object) -> object:
    """Return the name of a decorated job, and anything else as it is."""
    if isinstance(job, str) or not callable(job):
        return job
    definition = vars(job).get(JOB_MARK) if hasattr(job, "__dict__") else None
    if definition is None:
        raise ValueError(f"{describe(job)} is not a job: decorate it with @job_name('...')")
    return definition.name


StageParams = Annotated[
    Literal["results", "items"] | dict[str, Any] | list[dict[str, Any]], BeforeValidator(_check_template)
]


@explains_itself(InvalidStage)
@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Stage:
    """What is kicked off when an orchestration has completed; it takes over the tags, as its child.

    *params* is ``"results"``: one instance for each successful result (one that is no JSON object comes as
    ``{"result": it}``); or a dict: one instance for each success, with every text like ``"$result.path"``,
    ``"$params.customer"``, ``"$index"`` or ``"$job_id"`` in it replaced; or ``"items"``, or a dict with
    ``"$item"`` or ``"$item.path"``: one instance for each item of each result, which is a list; or a dict
    with ``"$results"``, or ``"$results.cents"`` for a field of each: one instance, which gets the list of
    those of all successes; or a list of dicts: those params, whatever the results. *on_failure* says what
    happens when an instance errored: ``"stop"`` starts nothing, ``"continue"`` goes on with the successes.
    After a cancellation nothing follows.
    """

    job_name: Annotated[JobName, BeforeValidator(_name_of)]
    """The name of the job; the decorated job itself may be given, and becomes its name."""
    params: StageParams = "results"
    on_failure: Literal["stop", "continue"] = "stop"
    parallelism: Parallelism | None = None
    service: str | None = None
    """The service that runs the job; by default that of the stage before."""
    retry: Retry | None = None
    timeout: TimeoutSeconds | TimeoutSpan | None = None
    """Seconds, or a timedelta, that the stage may take."""
    then: "Stage | None" = field(default=None)
    """The stage after this one."""

    if TYPE_CHECKING:  # the one of pydantic, but for the job itself

        def __init__(  # noqa: PLR0913, PLR0917 -- its fields
            self,
            job_name: str | Callable[..., Any],
            params: Literal["results", "items"] | Mapping[str, Any] | Sequence[Mapping[str, Any]] = "results",
            on_failure: Literal["stop", "continue"] = "stop",
            parallelism: int | None = None,
            service: str | None = None,
            retry: Retry | None = None,
            timeout: float | timedelta | None = None,
            then: "Stage | None" = None,
        ) -> None: ...

    def all_results(self) -> "AllResults | None":
        """Return what gathers the results of all where it is one instance that takes them, and else None."""
        if isinstance(self.params, dict) and any(map(_is_of_all, _references(self.params))):
            return AllResults(self.params)
        return None

    def params_after(
        self, *, result: object, params: Mapping[str, Any], index: int, job_id: str
    ) -> Iterator[dict[str, Any]]:
        """Yield the params of the instances that follow a success. Raises MissingReference or NoItems.

        >>> list(Stage("load", "items").params_after(result=[{"n": 3}, 4], params={}, index=0, job_id=""))
        [{'n': 3}, {'result': 4}]
        """
        if isinstance(self.params, list):
            return
        sources = {"result": result, "params": params, "index": index, "job_id": job_id}
        if not self._takes_items:
            yield _fill_params(self.params, result, sources)
            return
        if not isinstance(result, list):
            raise NoItems(index, describe(result))
        for item in result:
            yield _fill_params(self.params, item, sources | {"item": item})

    @property
    def _takes_items(self) -> bool:
        return self.params == "items" or any(map(_ITEM.match, _references(self.params)))

    @property
    def depth(self) -> int:
        """Return how many stages these are, this one and those after it."""
        return 1 + (self.then.depth if self.then else 0)


def walk_stages(stage: Stage | None) -> Iterator[Stage]:
    """Yield *stage* and those that follow it, in order."""
    while stage is not None:
        yield stage
        stage = stage.then


def services_of_stages(service: str, then: Stage | None) -> list[str]:
    """Return the services of an orchestration of *service* and of the stages after it, in order.

    >>> services_of_stages("billing", Stage("mail", service="mails", then=Stage("archive")))
    ['billing', 'mails', 'mails']
    """
    services = [service]
    for stage in walk_stages(then):
        services.append(stage.service or services[-1])
    return services


def refuse_endless(rule: str, job_name: str, stage: Stage) -> None:
    """Raise ValueError if *rule* would start *stage* after a job that is the stage's own."""
    if stage.job_name == job_name:
        raise ValueError(f"{rule}: {job_name!r} cannot follow itself; it would never end")


def _fill_params(
    template: Literal["results", "items"] | Mapping[str, Any], whole: object, sources: Mapping[str, Any]
) -> dict[str, Any]:
    if isinstance(template, Mapping):
        return {name: _fill(value, partial(_look_up, sources)) for name, value in template.items()}
    return whole if isinstance(whole, dict) else {"result": whole}


class AllResults:
    """Gathers the results that the params of a stage with ``"$results"`` take."""

    def __init__(self, template: Mapping[str, Any]) -> None:
        self._template = template
        self._lists: dict[str, list[Any]] = {text: [] for text in _references(template)}
        self._bytes = 0

    def add(self, result: object, index: int) -> None:
        """Take the result of instance *index*. Raises MissingReference or ParamsTooLarge."""
        sources = {"results": result, "index": index}
        for reference, values in self._lists.items():
            value = _look_up(sources, reference)
            values.append(value)
            self._bytes += len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) + 1
        if self._bytes > limits.INSTANCE_PARAMS_BYTES:
            raise ParamsTooLarge

    def params(self) -> dict[str, Any]:
        """Return the params of the one instance.

        >>> gathered = AllResults({"cents": "$results.cents", "currency": "eur"})
        >>> gathered.add({"cents": 5}, 0)
        >>> gathered.add({"cents": 7}, 1)
        >>> gathered.params()
        {'cents': [5, 7], 'currency': 'eur'}
        """
        return {name: _fill(value, self._lists.__getitem__) for name, value in self._template.items()}


def _fill(value: Any, look_up: Callable[[str], Any]) -> Any:  # noqa: ANN401 -- any JSON
    if isinstance(value, dict):
        return {name: _fill(part, look_up) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_fill(part, look_up) for part in value]
    if isinstance(value, str) and value.startswith("$"):
        return value[1:] if value.startswith("$$") else look_up(value)
    return value


def _look_up(sources: Mapping[str, Any], reference: str) -> Any:  # noqa: ANN401 -- any JSON
    value: Any = sources
    for name in reference[1:].split("."):
        if not isinstance(value, Mapping) or name not in value:
            raise MissingReference(reference, sources["index"])
        value = value[name]
    return value


def _is_of_all(reference: str) -> bool:
    return reference == _ALL_RESULTS or reference.startswith(f"{_ALL_RESULTS}.")


def _references(params: object) -> Iterator[str]:
    """Yield every text in *params*, however deep, that refers to something."""
    left = [params]
    while left:
        value = left.pop()
        if isinstance(value, str):
            if value.startswith("$") and not value.startswith("$$"):
                yield value
        elif isinstance(value, Mapping):
            left.extend(value.values())
        elif isinstance(value, list | tuple):
            left.extend(value)
