"""The options of a kick-off on the command line: each once, for every command that takes it."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

import typer

from background_jobs.cli.arguments import known_job_names, parse_id
from background_jobs.cli.params_changes import read_params, read_patch, read_ranges
from background_jobs.cli.times import parse_duration
from background_jobs.core import limits

if TYPE_CHECKING:
    from background_jobs.core.retry import Retry
    from background_jobs.core.stages import Stage

Surface = Literal["kick-off", "rerun", "schedule create"]
"""A command that starts something."""
_OnFailure = Literal["stop", "continue"]


class Option(NamedTuple):
    """An option of the SDK, and how the command line spells it."""

    keyword: str
    """Its name in `core.options`."""
    parameters: Mapping[str, Any]
    """The parameters of a command that make it up, by name, as typer reads them."""
    read: Callable[..., object]
    """Turns their values into that of the keyword."""
    surfaces: Sequence[Surface]


def take_options(surface: Surface) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of *surface*; it gets them as the SDK's keywords, in its ``**options``."""
    options = [option for option in OPTIONS if surface in option.surfaces]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        added = [
            Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
            for option in options
            for name, annotation in option.parameters.items()
        ]
        parameters = _insert(added, signature(command))

        @wraps(command)
        def run(**arguments: Any) -> None:  # noqa: ANN401 -- the parameters of any command
            keywords = {
                option.keyword: option.read(*(arguments.pop(name) for name in option.parameters))
                for option in options
            }
            command(**arguments, **keywords)

        # Typer reads the parameters of a command from these.
        run.__signature__ = signature(command).replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        del run.__wrapped__
        return run

    return decorate


def _insert(added: Sequence[Parameter], command: Signature) -> list[Parameter]:
    """Return the parameters of a command with *added* among them, before the switches that end its help."""
    own = [
        parameter.replace(kind=Parameter.KEYWORD_ONLY)
        for parameter in command.parameters.values()
        if parameter.kind is not Parameter.VAR_KEYWORD
    ]
    first_switch = next(place for place, parameter in enumerate(own) if parameter.default is False)
    return [*own[:first_switch], *added, *own[first_switch:]]


def read_tags(texts: Sequence[str] | None) -> dict[str, str] | None:
    """Read tags. Raises BadParameter."""
    return dict(map(_read_tag, texts)) if texts else None


def read_retry(max_attempts: int | None) -> "Retry | None":
    """Return the retry that `--max-attempts` asks for; None leaves it to the job."""
    from background_jobs.core.retry import Retry

    return None if max_attempts is None else Retry(max_attempts=max_attempts)


def read_stages(job_names: Sequence[str] | None, on_failure: _OnFailure | None) -> "Stage | None":
    """Return the stages that `--then` and `--on-failure` ask for. Raises BadParameter."""
    from background_jobs.core.refused_values import InvalidStage
    from background_jobs.core.stages import Stage

    if on_failure and not job_names:
        raise typer.BadParameter("Say what follows: name that with --then.", param_hint="--on-failure")
    stage: Stage | None = None
    for name in reversed(job_names or ()):
        job_name, params = _split_stage(name)
        try:
            stage = Stage(job_name, params, on_failure=on_failure or "stop", then=stage)
        except InvalidStage as invalid:
            reason = f"{name!r} is no job name." if job_name == name else f"{name!r} is no stage: {invalid}"
            raise typer.BadParameter(reason, param_hint="--then") from None
    return stage


def _split_stage(text: str) -> tuple[str, Any]:
    """Return the job of a stage, and its params.

    >>> _split_stage("load"), _split_stage("load=items"), _split_stage('total={"parts": "$results"}')
    (('load', 'results'), ('load', 'items'), ('total', {'parts': '$results'}))
    """
    name, separator, params = text.partition("=")
    if params in {"results", "items"}:
        return name, params
    if separator and params.startswith(("{", "[")):
        try:
            return name, json.loads(params)
        except (ValueError, RecursionError) as invalid:
            raise typer.BadParameter(
                f"{text!r}: the params are no JSON: {invalid}.", param_hint="--then"
            ) from None
    return text, "results"


def _read_tag(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise typer.BadParameter(f"{text!r} is no tag; write NAME=VALUE.", param_hint="--tag")
    return name, value


def _read_several(texts: Sequence[str] | None) -> Sequence[str] | None:
    return texts or None


def _keep(value: object) -> object:
    return value


OPTIONS: Final = (
    Option(
        "only",
        {
            "only": Annotated[
                Literal["failed", "unrepaired", "completed", "all"] | None,
                typer.Option(
                    help="Those of that status; unrepaired are those that failed and have completed in no "
                    "rerun. [default: failed, or all that --index names]"
                ),
            ]
        },
        _keep,
        ("rerun",),
    ),
    Option(
        "cause",
        {
            "cause": Annotated[
                str | None,
                typer.Option(metavar="CAUSE", help="The failures of one cause, by its id in `failures`."),
            ]
        },
        _keep,
        ("rerun",),
    ),
    Option(
        "indices",
        {
            "index": Annotated[
                list[str] | None,
                typer.Option(metavar="N", help="These instances alone: 0-99,250; may be repeated."),
            ]
        },
        read_ranges,
        ("rerun",),
    ),
    Option(
        "params",
        {
            "params": Annotated[
                Path | None,
                typer.Option(
                    metavar="FILE",
                    help="A JSON object in place of the params of a single instance; - for standard input.",
                ),
            ]
        },
        read_params,
        ("rerun",),
    ),
    Option(
        "params_patch",
        {
            "set": Annotated[
                list[str] | None,
                typer.Option(
                    metavar="NAME=VALUE",
                    help="Change a param of each: JSON or text, a.b=1 for one inside, null to remove it.",
                ),
            ]
        },
        read_patch,
        ("rerun",),
    ),
    Option(
        "next_stages",
        {
            "next_stages": Annotated[
                bool | None,
                typer.Option(
                    "--next-stages",
                    help="Run what failed and has not gone on, and the next stages for what of it completes, "
                    "though these began without it.",
                ),
            ]
        },
        _keep,
        ("rerun",),
    ),
    Option(
        "parallelism",
        {
            "parallelism": Annotated[
                int | None,
                typer.Option(
                    min=1,
                    max=limits.PARALLELISM,
                    metavar="N",
                    help="Containers at once; by default one for each of the params, or as before.",
                ),
            ]
        },
        _keep,
        ("kick-off", "rerun", "schedule create"),
    ),
    Option(
        "key",
        {
            "key": Annotated[
                str | None,
                typer.Option(metavar="KEY", help="The same key and params again are the same orchestration."),
            ]
        },
        _keep,
        ("kick-off", "rerun"),
    ),
    Option(
        "tags",
        {
            "tag": Annotated[
                list[str] | None,
                typer.Option(metavar="NAME=VALUE", help="Travels with every event; may be repeated."),
            ]
        },
        read_tags,
        ("kick-off", "rerun", "schedule create"),
    ),
    Option(
        "service",
        {
            "service": Annotated[
                str | None, typer.Option(metavar="NAME", help="The service that runs the job.")
            ]
        },
        _keep,
        ("kick-off", "schedule create"),
    ),
    Option(
        "retry",
        {
            "max_attempts": Annotated[
                int | None,
                typer.Option(
                    min=1,
                    max=limits.RETRY_ATTEMPTS,
                    metavar="N",
                    help="Attempts for each, instead of what the job says.",
                ),
            ]
        },
        read_retry,
        ("kick-off", "rerun", "schedule create"),
    ),
    Option(
        "timeout",
        {
            "timeout": Annotated[
                timedelta | None,
                typer.Option(
                    parser=parse_duration,
                    metavar="DURATION",
                    help="End the orchestration after that time: 90, 10m, 2h.",
                ),
            ]
        },
        _keep,
        ("kick-off", "rerun", "schedule create"),
    ),
    Option(
        "then",
        {
            "then": Annotated[
                list[str] | None,
                typer.Option(
                    metavar="NAME",
                    help="The job that follows, with the results as its params, or NAME=PARAMS; may be "
                    "repeated.",
                    autocompletion=known_job_names,
                ),
            ],
            "on_failure": Annotated[
                _OnFailure | None,
                typer.Option(
                    help="Where an instance errors: start no further stage (as by default), or go on."
                ),
            ],
        },
        read_stages,
        ("kick-off", "schedule create"),
    ),
    Option(
        "notify",
        {
            "notify": Annotated[
                list[str] | None,
                typer.Option(metavar="NAME", help="A channel that hears of the end; may be repeated."),
            ]
        },
        _read_several,
        ("kick-off", "rerun", "schedule create"),
    ),
    Option(
        "parent_id",
        {
            "parent": Annotated[
                str | None,
                typer.Option(
                    metavar="ID",
                    parser=parse_id,
                    help="The one that this one follows; it is noted.",
                ),
            ]
        },
        _keep,
        ("kick-off",),
    ),
)
