"""A file that counts, checks and hashes the params of a kick-off before they go to S3."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import IO, Final, Self, cast

from pydantic import BaseModel

from background_jobs.core import limits
from background_jobs.core.canonical import canonical_json
from background_jobs.core.containers import shares
from background_jobs.core.errors import InvalidKickOff, NoRoomForParams
from background_jobs.core.json_places import describe

_IN_MEMORY: Final = 8 * 1024 * 1024


@contextmanager
def _naming_the_folder() -> Iterator[None]:
    """Raise NoRoomForParams where the file cannot take more."""
    try:
        yield
    except OSError as error:
        raise NoRoomForParams(tempfile.gettempdir(), error.strerror or str(error)) from error


class ParamsSpool:
    """A file of params, one JSON object a line; from 8 MB on it is on disk and takes no more memory.

    Where they are *compared* with those of another kick-off, the digest is that of their canonical JSON.
    """

    def __init__(self, *, compared: bool = False) -> None:
        self.file = cast("IO[bytes]", SpooledTemporaryFile(max_size=_IN_MEMORY))  # noqa: SIM115 -- __exit__ closes it
        self.total = 0
        self._contents = hashlib.sha256()
        self._canonical = hashlib.sha256() if compared else None

    def fill(self, params: Iterable[object], write: Callable[[int, object], bytes]) -> None:
        """Take everything from *params*, each as the line that *write* makes of its index and itself.

        Raises InvalidKickOff where that is no iterable of params, InvalidParams as *write* does, and
        whatever the iterator raises.
        """
        if isinstance(params, str | bytes | Mapping | BaseModel) or not isinstance(params, Iterable):
            raise InvalidKickOff(
                f"params={describe(params)}: params are a list, with one JSON object for each instance. "
                "For a single instance, put its object into a list: [...]."
            )
        for index, instance_params in enumerate(params):
            if index == limits.INSTANCES:
                raise InvalidKickOff(f"params: an orchestration has up to {limits.INSTANCES:,} instances.")
            line = write(index, instance_params)
            with _naming_the_folder():
                self.file.write(line)
            self._contents.update(line)
            if self._canonical:
                self._canonical.update(canonical_json(json.loads(line)) + b"\n")
            self.total += 1
        with _naming_the_folder():
            self.file.flush()

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the contents, as hexadecimal digits."""
        return self._contents.hexdigest()

    @property
    def params_digest(self) -> str:
        """Return a SHA-256 of the params; if they are compared, whatever the order of their keys."""
        return (self._canonical or self._contents).hexdigest()

    def manifest(self, orchestration_id: str, count: int) -> IO[bytes]:
        """Return a file of *count* shares, one a line; the state machine launches a container for each."""
        self.file.seek(0)
        manifest = cast("IO[bytes]", SpooledTemporaryFile(max_size=_IN_MEMORY))  # noqa: SIM115 -- the caller's
        with _naming_the_folder():
            for share in shares.cut_shares(map(len, self.file), self.total, count):
                manifest.write(share.manifest_line(orchestration_id))
            manifest.flush()
        return manifest

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()
