"""Which project a folder belongs to: each project has an offline stack of its own."""

from pathlib import Path
from typing import Final

_MARKS: Final = ("pyproject.toml", ".git")


def find_project(folder: Path | None = None) -> Path:
    """Return the project that *folder*, by default the current one, belongs to.

    It is the nearest of the folder and those above it that has a ``pyproject.toml`` or a ``.git``, the home
    folder left out; where none has, it is the folder itself. So two checkouts are two projects.
    """
    here = (folder or Path.cwd()).resolve()
    home = Path("~").expanduser()
    above = (parent for parent in (here, *here.parents) if parent != home)
    return next((parent for parent in above if any((parent / mark).exists() for mark in _MARKS)), here)
