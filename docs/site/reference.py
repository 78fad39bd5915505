"""The pages of the reference, made from what they describe: code, schemas and the command tree."""

import ast
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from types import FunctionType, ModuleType
from typing import Final

import schema_pages
import typer.main
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from tables import write_table
from typer.testing import CliRunner

import background_jobs
from background_jobs import aio, public, settings, testing
from background_jobs.cdk import public as stack
from background_jobs.cli.main import app
from background_jobs.core import limits
from background_jobs.core.errors import BackgroundJobsError

DOCS: Final = Path(__file__).parents[1]
_MAIN_LIMITS: Final = {
    "instances of one orchestration": "INSTANCES",
    "containers of one orchestration": "PARALLELISM",
    "instances that run at once in one container": "CONCURRENCY",
    "params of one instance, as JSON": "INSTANCE_PARAMS_BYTES",
    "result of one instance, as JSON": "RESULT_BYTES",
    "levels of objects and arrays in params and results": "JSON_DEPTH",
    "days that an attempt, a stage or an orchestration may be given": "TIMEOUT_DAYS",
    "days that an orchestration may take without a timeout": "EXECUTION_DAYS",
    "attempts of one instance": "RETRY_ATTEMPTS",
    "stages of a pipeline after the first": "STAGES",
    "characters of a key": "KEY_CHARACTERS",
    "characters of all tags together": "TAG_CHARACTERS",
    "params of a schedule, as JSON": "SCHEDULE_PARAMS_BYTES",
    "occurrences of a backfill": "BACKFILL_OCCURRENCES",
}
"""The bounds that people meet, in their words."""


def write_pages() -> dict[str, str]:
    """Return each page that is made from the code, by its name in the site."""
    return {
        "reference/sdk.md": write_sdk(),
        "reference/errors.md": write_errors(),
        "reference/settings.md": write_settings(),
        "reference/stack.md": write_stack(),
        "reference/commands.md": write_commands(),
        "reference/routes.md": schema_pages.write_routes(DOCS / "openapi.json"),
        "reference/events.md": schema_pages.write_events(DOCS / "schemas"),
        "reference/limits.md": write_limits(),
        "adr/index.md": write_decisions(),
    }


def write_sdk() -> str:
    """Return the public names of the SDK, each with its docstring."""
    names = {name: getattr(public, name) for name in public.__all__}
    told = [
        f"::: {value.__module__}.{value.__qualname__}"
        for value in names.values()
        if value is BackgroundJobsError
        or not (isinstance(value, type) and issubclass(value, BackgroundJobsError))
    ]
    head = (
        "# SDK\n\nEvery name here is imported from `background_jobs`: "
        "`from background_jobs import job_name`. The errors have [a page of their own](errors.md), the "
        "classes of the stack [another](stack.md)."
    )
    in_asyncio = [
        f"::: background_jobs.aio.{name}\n    options:\n      show_root_full_path: true"
        for name in aio.__all__
    ]
    in_tests = [
        f"::: background_jobs.testing.twin.{name}\n    options:\n      show_root_full_path: true"
        for name in testing.__all__
        if not issubclass(getattr(testing, name), BackgroundJobsError)
    ]
    return "\n\n".join([head, *told, *in_asyncio, *in_tests]) + "\n"


def write_errors() -> str:
    """Return every error of the package with what it states and what it tells people to do."""
    head = (
        "# Errors\n\nEvery error is a `BackgroundJobsError`, named for the fact that it states, and says "
        "what to do next. Those in bold are imported from `background_jobs`; over HTTP, the field `error` of "
        "a problem names the same. `…` stands for values."
    )
    errors = sorted(_subclasses(BackgroundJobsError), key=lambda error: error.__name__)
    return "\n\n".join([head, *map(_write_error, errors)]) + "\n"


def _subclasses(parent: type[BackgroundJobsError]) -> set[type[BackgroundJobsError]]:
    _import_all(background_jobs)
    found, rest = set(), [parent]
    while rest:
        kinds = rest.pop().__subclasses__()
        found |= set(kinds)
        rest += kinds
    return {error for error in found if error.__module__.startswith("background_jobs.")}


def _import_all(package: ModuleType) -> None:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        # A module that is run, such as that of a console script, does so where it is imported.
        if not module.name.endswith("__main__") and ".lambdas" not in module.name:
            import_module(module.name)


def _write_error(error: type[BackgroundJobsError]) -> str:
    is_public = error.__name__ in public.__all__
    name = f"**{error.__name__}**" if is_public else error.__name__
    parts = [f"## {name} {{ #{error.__name__} }}", inspect.getdoc(error) or ""]
    parts += [f"> {message}" for message in _messages(error)]
    return "\n\n".join(parts)


def _messages(error: type[BackgroundJobsError]) -> Iterator[str]:
    """Yield the message of an error that has one of its own, with `…` for its values."""
    if "__init__" not in vars(error):
        return
    tree = ast.parse(dedent(inspect.getsource(error.__init__)))
    texts = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__":
            for argument in node.args[:1]:
                if isinstance(argument, ast.JoinedStr | ast.Constant):
                    yield _spell(argument, texts)


def _spell(node: ast.expr, texts: Mapping[str, ast.expr]) -> str:
    """Return the text of a string's expression, in which the texts of *texts* are filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_spell(part, texts) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return _spell(node.value, texts)
    if isinstance(node, ast.Name) and node.id in texts:
        return _spell(texts[node.id], texts)
    if isinstance(node, ast.IfExp):
        ways = [way for way in (_spell(node.body, texts), _spell(node.orelse, texts)) if way]
        return " / ".join(ways)
    return "…"


def write_settings() -> str:
    """Return every variable that the package reads, by who reads it."""
    head = (
        "# Settings\n\nSettings are variables of the process. A deployed stack has those of callers as "
        "outputs, and gives containers and functions theirs; offline, `background-jobs local up` prints "
        "them. `Settings.from_env()` reads them, and names all that are missing at once. A variable that is "
        "set to nothing counts as not set."
    )
    classes = [
        one
        for one in vars(settings).values()
        if inspect.isclass(one) and issubclass(one, settings.FromVariables) and one.model_fields
    ]
    return "\n\n".join([head, *map(_write_settings, classes)]) + "\n"


def _write_settings(one: type[settings.FromVariables]) -> str:
    rows = [
        (f"`{one.variable(name)}`", _tell_default(field), text)
        for (name, field), text in zip(one.model_fields.items(), _attribute_docs(one), strict=True)
    ]
    table = write_table(("variable", "default", "what it is"), rows)
    return f"## {one.__name__}\n\n{inspect.getdoc(one)}\n\n{table}"


def write_stack() -> str:
    """Return the public names of the stack, and each option of a configuration."""
    head = (
        "# Stack\n\nEvery name here is imported from `background_jobs.cdk`: "
        "`from background_jobs.cdk import BackgroundJobsStack`. A wrong value is refused before anything is "
        "synthesized. [Deploying](../deploying.md) says how they are used."
    )
    return "\n\n".join([head, *(_write_of_stack(getattr(stack, name)) for name in stack.__all__)]) + "\n"


def _write_of_stack(one: FunctionType | type) -> str:
    if isinstance(one, FunctionType) or not issubclass(one, BaseModel):
        return f"::: {one.__module__}.{one.__qualname__}"
    rows = [
        (f"`{name}`", _tell_default(field), text)
        for (name, field), text in zip(one.model_fields.items(), _attribute_docs(one), strict=True)
    ]
    table = write_table(("option", "default", "what it is"), rows)
    return f"## {one.__name__}\n\n{inspect.getdoc(one)}\n\n{table}"


def _attribute_docs(model: type[BaseModel]) -> list[str]:
    """Return the docstring below each field of *model*, or its description; empty where it has none."""
    told: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if issubclass(kind, BaseModel) and kind is not BaseModel:
            told |= dict(_docs_in(kind))
    return [told.get(name) or field.description or "" for name, field in model.model_fields.items()]


def _docs_in(kind: type) -> Iterator[tuple[str, str]]:
    (definition,) = ast.parse(dedent(inspect.getsource(kind))).body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    for field, following in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            text = _text_of(following)
            if text is not None:
                yield field.target.id, text


def _text_of(node: ast.stmt) -> str | None:
    """Return the text of a docstring; None if *node* is none."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return inspect.cleandoc(str(node.value.value))
    return None


def _tell_default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or value in ("", (), {}, None):
        return "none"
    return f"`{value!r}`" if isinstance(value, BaseModel) else f"`{_plain(value)}`"


def _plain(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def write_commands() -> str:
    """Return the help of every command."""
    head = "# All commands\n\n[The command line](../cli.md) says how they are used."
    command = typer.main.get_command(app)
    return "\n\n".join([head, *_write_command(command, ("background-jobs",))]) + "\n"


def _write_command(command: object, path: tuple[str, ...]) -> Iterator[str]:
    printed = CliRunner().invoke(
        app, [*path[1:], "--help"], prog_name="background-jobs", env={"COLUMNS": "100"}
    )
    yield f"## {' '.join(path)}\n\n```\n{printed.stdout.strip()}\n```"
    for name, one in getattr(command, "commands", {}).items():
        if not one.hidden:
            yield from _write_command(one, (*path, name))


def write_limits() -> str:
    """Return every bound of the service, with its reason."""
    head = (
        "# Limits\n\nEvery bound of the service, from `background_jobs.core.limits`. What is beyond one is "
        "refused with a sentence, or cut off where that is said."
    )
    rows = [(f"`{name}`", f"{value:,}", text) for name, (value, text) in _read_limits().items()]
    return f"{head}\n\n{write_table(('limit', 'value', 'what it is'), rows)}\n"


def write_main_limits() -> str:
    """Return the bounds that people meet, as a table."""
    values = {name: value for name, (value, _) in _read_limits().items()}
    rows = [(what, _tell_amount(name, values[name])) for what, name in _MAIN_LIMITS.items()]
    return write_table(("what", "at most"), rows)


def _read_limits() -> dict[str, tuple[float, str]]:
    """Return the value of each constant of `core.limits`, and the text below it."""
    return {
        node.target.id: (getattr(limits, node.target.id), _text_of(following) or "")
        for node, following in pairwise([*ast.parse(inspect.getsource(limits)).body, ast.Pass()])
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def _tell_amount(name: str, value: float) -> str:
    if name.endswith("_BYTES"):
        return f"{value / 2**20:g} MB" if value >= 2**20 else f"{value / 2**10:g} KB"
    return f"{value:,}"


def write_decisions() -> str:
    """Return the list of the decisions, in their order."""
    head = (
        "# Decisions\n\nWhy it is built as it is: each with its context, what was decided, and what follows."
    )
    rows = [
        f"- [{path.read_text().splitlines()[0].removeprefix('# ')}]({path.name})"
        for path in sorted((DOCS / "adr").glob("0*.md"))
    ]
    return "\n".join([head, "", *rows]) + "\n"
