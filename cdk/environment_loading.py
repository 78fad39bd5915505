"""Finding the configuration of an environment by its name; environments.py has them all."""

import importlib
import traceback
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.validation import explain

_MODULE: Final = "environments"


class InvalidEnvironment(Exception):
    """The requested environment does not exist, or its configuration cannot be deployed."""


def load_environment(name: str) -> EnvironmentConfig:
    """Return environment *name* of environments.py; InvalidEnvironment says what to change."""
    return find_environment(name, read_environments())


def find_environment(name: str, environments: Sequence[EnvironmentConfig]) -> EnvironmentConfig:
    """Return that of *environments* with this name; InvalidEnvironment says what to change."""
    by_name = {config.environment: config for config in environments}
    if len(by_name) < len(environments):
        raise InvalidEnvironment("Two environments have the same name.")
    _refuse_shared_bus(environments)
    if name not in by_name:
        raise InvalidEnvironment(f"There is no environment {name!r}; there are: {', '.join(by_name)}.")
    return by_name[name]


def load_first(first: object, config: EnvironmentConfig) -> EnvironmentConfig:
    """Return *config* as it is deployed for the *first* time, if that is what `-c first=` says."""
    match str(first).lower():
        case "yes" | "true":
            return config.model_copy(update={"protected": False})
        case "no" | "false" | "none":
            return config
    raise InvalidEnvironment(f"first={first!r} is neither yes nor no.")


def read_environments() -> Sequence[EnvironmentConfig]:
    """Return what environments.py beside app.py has; InvalidEnvironment says what to change in it."""
    if find_spec(_MODULE) is None:
        raise InvalidEnvironment("There is no environments.py beside app.py; it says what is deployed.")
    try:
        module = importlib.import_module(_MODULE)
    # It is the user's code, which may raise anything.
    except Exception as error:
        raise InvalidEnvironment(f"{_place(error)}: {_reason(error)}") from error
    environments = getattr(module, "ENVIRONMENTS", None)
    if not isinstance(environments, tuple | list) or not all(
        isinstance(config, EnvironmentConfig) for config in environments
    ):
        raise InvalidEnvironment(
            f"{_shown(str(module.__file__))} needs a tuple of all environments: ENVIRONMENTS = "
            "(EnvironmentConfig(…),), with a comma after a single one."
        )
    return environments


def _place(error: Exception) -> str:
    """Return file and line of what the user wrote: the innermost module that was being imported."""
    if isinstance(error, SyntaxError):
        return f"{_shown(str(error.filename))}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    module = [frame for frame in frames if frame.name == "<module>"][-1]
    return f"{_shown(module.filename)}, line {module.lineno}"


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return explain(error)
    return f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"


def _shown(file: str) -> str:
    path = Path(file)
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _refuse_shared_bus(environments: Iterable[EnvironmentConfig]) -> None:
    """Refuse two environments that would be deployed with one bus; those of an emulator are by themselves."""
    first: dict[tuple[str | None, str | None, str], str] = {}
    for config in environments:
        place = (config.account, config.region, config.event_bus)
        if config.bundled and (other := first.setdefault(place, config.environment)) != config.environment:
            raise InvalidEnvironment(
                f"Environments {other!r} and {config.environment!r} have the same event_bus "
                f"{config.event_bus!r} in one account and region, where a name can be taken once; give one "
                "of them another, or an account or region of its own."
            )
