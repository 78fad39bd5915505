"""Writing a file that is there as a whole, or as it was before."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final
from uuid import uuid4

_NAME_CHARACTERS: Final = 40
"""As much of the name as the file beside it has: names have up to 255 bytes."""


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield where to write; that takes the place of *path* at the end of the block, and not after an error.

    What is no regular file, such as a pipe, is written to itself. Raises OSError, which names *path*.
    """
    target = Path(os.path.realpath(path))
    part = target.parent / f".{target.name[:_NAME_CHARACTERS]}.{uuid4().hex[:12]}.part"
    is_replaced = not target.exists() or target.is_file()
    try:
        yield part if is_replaced else target
        if is_replaced:
            with suppress(FileNotFoundError):
                shutil.copymode(target, part)
            part.replace(target)
    except (ConnectionError, TimeoutError):
        raise  # of what is read meanwhile
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[IO[str]]:
    """Open what `replaced` yields, for text."""
    with replaced(path) as part, part.open("w", encoding="utf-8") as file:
        yield file
