"""What the process of the stack and the one that starts it tell each other: options, and files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel, TypeAdapter

from background_jobs.core.job_descriptions import JobDescription
from background_jobs.settings import Settings

READY: Final = "ready.json"
FAILED: Final = "failed.txt"
JOBS: Final = "jobs.json"
LOADED: Final = "loaded.json"
_OPTIONS: Final = "options.json"
_BY_SERVICE: Final = TypeAdapter(dict[str, tuple[JobDescription, ...] | None])

JobsByService = Mapping[str, Sequence[JobDescription] | None]
"""The jobs of each service; None where it has not told them."""


class Ready(BaseModel):
    """The message of the server once the stack can be used."""

    port: int
    settings: Settings
    """With the address of the progress API."""


class ServerOptions(BaseModel):
    """The options with which a stack is started."""

    folder: Path
    """The folder of the logs, and of the files that say the stack is ready and which jobs it has."""
    services: dict[str, list[str]]
    """By service, the main of its containers; an empty one where there is an image."""
    image: str = ""
    """The image of every container; Docker runs it."""
    memory_mib: int | None = None
    """The memory of a container of *image*; None for what its task definition says."""
    containers: int
    """The most containers that run at once; further ones wait."""
    warm: int = 0
    """Containers of each service beside those, which stay and take shares."""
    env: dict[str, str] = {}
    """Variables of every container beside those that the stack sets."""
    notify: dict[str, str] = {}
    """The addresses of webhooks, by the names of their channels."""
    listener: int
    """The file descriptor of the socket on which the emulator listens."""
    api_port: int = 0
    """The port of the progress API and the console; 0 takes any free one."""
    ends_with_parent: bool = True
    """Whether the end of standard input, which the parent holds, ends the stack."""


def hand_over(options: ServerOptions) -> Path:
    """Write options where their stack alone finds them: everybody sees arguments, and some are secret."""
    path = options.folder / _OPTIONS
    path.touch(mode=0o600)
    path.write_bytes(options.model_dump_json().encode())
    return path


def take_over(path: Path) -> ServerOptions:
    """Read what `hand_over` has written, which is gone then."""
    options = ServerOptions.model_validate_json(path.read_bytes())
    path.unlink()
    return options


def publish(path: Path, text: str) -> None:
    """Write a file that its reader sees as a whole, or not at all."""
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def publish_jobs(path: Path, jobs: JobsByService) -> None:
    """Write the jobs of each service into a file."""
    known = {service: None if described is None else tuple(described) for service, described in jobs.items()}
    publish(path, _BY_SERVICE.dump_json(known).decode())


def read_jobs(path: Path) -> dict[str, tuple[JobDescription, ...] | None]:
    """Read what `publish_jobs` has written."""
    return _BY_SERVICE.validate_json(path.read_bytes())
