"""What a jobs' main takes from outside while it is loaded in a fork server, noted as it takes it."""

import os
import socket
import tempfile
from pathlib import Path
from typing import Any, Final

variables: Final[dict[str, str | None]] = {}
"""The variables that were read, with their values; None where there was none."""
connections: Final[list[object]] = []
"""The addresses to which sockets of Python were connected, or were to be."""
_folders: Final[list[Path]] = []
"""The temporary folders that were made."""
_make_folder: Final = tempfile.mkdtemp


class _NotedVariables(os._Environ):  # type: ignore[type-arg] # noqa: SLF001 -- there is no public name
    def __getitem__(self, name: str) -> str:
        try:
            value: str = super().__getitem__(name)
        except KeyError:
            variables.setdefault(name, None)
            raise
        variables.setdefault(name, value)
        return value


def begin() -> None:
    """Note what is read from the variables of this process, where it connects to, and its folders."""
    connect: Any = socket.socket.connect

    def connect_noted(own: socket.socket, address: Any) -> None:  # noqa: ANN401 -- whatever its family has
        connections.append(address)
        connect(own, address)

    def make_folder_noted(*args: Any, **options: Any) -> Any:  # noqa: ANN401 -- those of the original
        made = _make_folder(*args, **options)
        _folders.append(Path(os.fsdecode(made)))
        return made

    os.environ.__class__ = _NotedVariables
    tempfile.mkdtemp = make_folder_noted
    socket.socket.connect = connect_noted  # type: ignore[assignment, method-assign]


def are_taken() -> bool:
    """Tell whether notes are taken at this moment."""
    return isinstance(os.environ, _NotedVariables)


def end() -> None:
    """Note nothing any more."""
    os.environ.__class__ = os._Environ  # noqa: SLF001
    del socket.socket.connect  # that of its base class is left
    tempfile.mkdtemp = _make_folder


def has_temporary_folder() -> bool:
    """Tell whether a temporary folder is there that was made meanwhile."""
    return any(folder.is_dir() for folder in _folders)
