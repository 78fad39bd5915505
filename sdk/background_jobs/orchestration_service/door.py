"""What is refused before anything is written, by kick-offs and schedules alike."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from background_jobs.core.errors import InvalidKickOff, InvalidParams, UnknownJobName
from background_jobs.jobs import JobDefinition, definition_of
from background_jobs.settings import Settings

_MAX_SECONDS: Final = 7 * 86_400
_MAX_KEY: Final = 256
_MAX_TAGS: Final = 4_096


def named(job: str | Callable[..., Any]) -> tuple[str, JobDefinition | None]:
    """Return the name of *job*, and its definition where the decorated job itself is given."""
    if isinstance(job, str):
        return job, None
    definition = definition_of(job)
    return definition.name, definition


def refuse_kick_off(
    name: str, parallelism: int | None, key: str | None, tags: Mapping[str, str] | None, settings: Settings
) -> None:
    """Raise UnknownJobName or InvalidKickOff if these cannot be."""
    known = settings.job_names
    if known and name not in known:
        raise UnknownJobName(name, known)
    limit = settings.max_parallelism
    if parallelism is not None and not 1 <= parallelism <= limit:
        raise InvalidKickOff(
            f"parallelism={parallelism} must be from 1 to {limit}, the limit of this stage "
            "(the setting BACKGROUND_JOBS_MAX_PARALLELISM)."
        )
    if key is not None and not 1 <= len(key) <= _MAX_KEY:
        raise InvalidKickOff(f"A key has 1 to {_MAX_KEY} characters, not {len(key)}.")
    texts = [text for tag in (tags or {}).items() for text in tag]
    if not all(isinstance(text, str) for text in texts) or sum(map(len, texts)) > _MAX_TAGS:
        raise InvalidKickOff(f"tags must map str to str, with up to {_MAX_TAGS} characters in all.")


def checked_timeout(timeout: float | timedelta | None) -> float | None:
    """Return *timeout* in seconds. Raises InvalidKickOff."""
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if seconds is not None and not 0 < seconds <= _MAX_SECONDS:
        raise InvalidKickOff(f"A timeout of {seconds} s cannot be: use more than 0, and up to 7 days.")
    return seconds


def checked(definition: JobDefinition | None) -> Callable[[int, object], object]:
    """Return what makes params plain, and raises InvalidParams where they do not fit *definition*."""

    def check(index: int, params: object) -> object:
        plain = params.model_dump(mode="json") if isinstance(params, BaseModel) else params
        if definition is not None and isinstance(plain, dict):
            try:
                definition.validated(plain)
            except ValidationError as invalid:
                raise InvalidParams(
                    index, f"they do not fit the job {definition.name!r}: {invalid}"
                ) from invalid
        return plain

    return check
