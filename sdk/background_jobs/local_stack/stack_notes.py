"""Where the stack of a project is noted, and the lock under which one command at a time starts it."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from background_jobs.local_stack.stack_errors import LocalStackError


class UnreadableNote(LocalStackError):
    """The note of a project's stack is damaged, or it is gone though the stack runs."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        super().__init__(
            f"The note of this project's offline stack, {path}, {reason}. "
            "`background-jobs local down` ends the stack without it."
        )


class UnwritableNote(LocalStackError):
    """The stack of a project cannot be noted; it is not started."""

    def __init__(self, path: Path, error: OSError) -> None:
        self.path = path
        super().__init__(
            f"The offline stack cannot be noted in {path}: {error.strerror}. "
            "Make that writable, or set XDG_STATE_HOME to a folder that is."
        )


def note_path(project: Path) -> Path:
    """Return the file that notes the stack of *project*."""
    return _folder() / f"local-{hashlib.sha256(os.fsencode(project)).hexdigest()[:16]}.json"


def all_notes() -> list[Path]:
    """Return the files that note the stacks of all projects."""
    return sorted(_folder().glob("local-*.json"))


def _folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "background-jobs"


def write_note(path: Path, text: str) -> None:
    """Replace a note as a whole. Raises UnwritableNote."""
    part = path.with_suffix(".part")
    try:
        part.touch(mode=0o600)
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise UnwritableNote(path, error) from error


def remove_note(project: Path) -> bool:
    """Remove the note of the stack of *project*, and tell whether there was one. Raises UnwritableNote."""
    path = note_path(project)
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise UnwritableNote(path, error) from error
    return True


@contextmanager
def starting(project: Path) -> Iterator[None]:
    """Wait until no other command starts the stack of *project*, and keep others waiting.

    Raises UnwritableNote.
    """
    path = note_path(project)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_suffix(".lock").open("w")
    except OSError as error:
        raise UnwritableNote(path, error) from error
    with lock:
        # The end of this process, however it comes, releases it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
