"""What a jobs' main takes from outside while it is loaded in a fork server, noted as it takes it."""

import builtins
import io
import os
import socket
import tempfile
from pathlib import Path
from typing import Any, Final

variables: Final[dict[str, str | None]] = {}
"""The variables that were read, with their values; None where there was none."""
connections: Final[list[object]] = []
"""The addresses to which sockets of Python were connected, or were to be."""
files: Final[set[str]] = set()
"""The files that were opened to be read, and those that were not there."""
_folders: Final[list[Path]] = []
"""The temporary folders that were made."""
_make_folder: Final = tempfile.mkdtemp
_open: Final = io.open
_NO_FILES: Final = ("/dev/", "/proc/", "/sys/")


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
    """Note which variables and files are read, where this process connects to, and its folders."""
    connect: Any = socket.socket.connect

    def connect_noted(own: socket.socket, address: Any) -> None:  # noqa: ANN401 -- whatever its family has
        connections.append(address)
        connect(own, address)

    def make_folder_noted(*args: Any, **options: Any) -> Any:  # noqa: ANN401 -- those of the original
        made = _make_folder(*args, **options)
        _folders.append(Path(os.fsdecode(made)))
        return made

    def open_noted(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:  # noqa: ANN401 -- the same
        if mode.strip("tbU") == "r" and not isinstance(file, int):
            path = os.path.abspath(os.fsdecode(file))  # noqa: PTH100 -- links stay, for they may be changed
            if not path.startswith(_NO_FILES):
                files.add(path)
        return _open(file, mode, *args, **options)

    os.environ.__class__ = _NotedVariables
    builtins.open = io.open = open_noted
    tempfile.mkdtemp = make_folder_noted
    socket.socket.connect = connect_noted  # type: ignore[assignment, method-assign]


def are_taken() -> bool:
    """Tell whether notes are taken at this moment."""
    return isinstance(os.environ, _NotedVariables)


def end() -> None:
    """Note nothing any more."""
    os.environ.__class__ = os._Environ  # noqa: SLF001
    del socket.socket.connect  # that of its base class is left
    builtins.open = io.open = _open
    tempfile.mkdtemp = _make_folder


def has_temporary_folder() -> bool:
    """Tell whether a temporary folder is there that was made meanwhile."""
    return any(folder.is_dir() for folder in _folders)
