"""Writing a file that is there as a whole, or as it was before."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def replacing(path: Path) -> Iterator[IO[str]]:
    """Open a file beside *path* that takes its place at the end of the `with` block; after an error, none.

    What is no regular file, such as a pipe, is written to itself. Raises OSError, which names *path*.
    """
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    is_replaced = not target.exists() or target.is_file()
    try:
        with (part if is_replaced else target).open("w", encoding="utf-8") as file:
            yield file
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
