"""Finding the configuration of an environment by its name; environments.py has them all."""

from collections.abc import Iterable

from pydantic import ValidationError

from cdk.config import EnvironmentConfig


class InvalidEnvironment(Exception):
    """The requested environment does not exist, or its configuration cannot be deployed."""


def load_environment(name: str) -> EnvironmentConfig:
    """Return the configuration of environment *name*; InvalidEnvironment says what to change."""
    try:
        from environments import ENVIRONMENTS
    except ValidationError as invalid:
        problems = [
            f"{'.'.join(map(str, error['loc']))} {error['msg']}".strip() for error in invalid.errors()
        ]
        raise InvalidEnvironment(f"environments.py: {invalid.title}: {'; '.join(problems)}") from invalid
    by_name = {config.environment: config for config in ENVIRONMENTS}
    if len(by_name) < len(ENVIRONMENTS):
        raise InvalidEnvironment("environments.py: two environments have the same name.")
    _refuse_shared_bus(ENVIRONMENTS)
    if name not in by_name:
        raise InvalidEnvironment(
            f"There is no environment {name!r}; environments.py has: {', '.join(by_name)}."
        )
    return by_name[name]


def load_first(first: object, config: EnvironmentConfig) -> EnvironmentConfig:
    """Return *config* as it is deployed for the *first* time, if that is what `-c first=` says."""
    match str(first).lower():
        case "yes" | "true":
            return config.model_copy(update={"protected": False})
        case "no" | "false" | "none":
            return config
    raise InvalidEnvironment(f"first={first!r} is neither yes nor no.")


def _refuse_shared_bus(environments: Iterable[EnvironmentConfig]) -> None:
    """Refuse two environments that would be deployed with one bus; those of an emulator are by themselves."""
    first: dict[tuple[str | None, str | None, str], str] = {}
    for config in environments:
        place = (config.account, config.region, config.event_bus)
        if config.bundled and (other := first.setdefault(place, config.environment)) != config.environment:
            raise InvalidEnvironment(
                f"environments.py: {other!r} and {config.environment!r} have the same event_bus "
                f"{config.event_bus!r} in one account and region, where a name can be taken once; give one "
                "of them another, or an account or region of its own."
            )
