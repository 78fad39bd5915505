"""A file that counts, checks and hashes the params of a kick-off before they go to S3."""

import hashlib
import json
from collections.abc import Callable, Iterable
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import IO, Final, Self, cast

from background_jobs.core.canonical import canonical_json
from background_jobs.core.containers import shares

_IN_MEMORY: Final = 8 * 1024 * 1024


class ParamsSpool:
    """A file of params, one JSON object a line; from 8 MB on it is on disk and takes no more memory."""

    def __init__(self) -> None:
        self.file = cast("IO[bytes]", SpooledTemporaryFile(max_size=_IN_MEMORY))  # noqa: SIM115 -- __exit__ closes it
        self.total = 0
        self._contents = hashlib.sha256()
        self._params = hashlib.sha256()

    def fill(self, params: Iterable[object], write: Callable[[int, object], bytes]) -> None:
        """Take everything from *params*, each as the line that *write* makes of its index and itself.

        Raises InvalidParams as *write* does, and whatever the iterator raises.
        """
        for index, instance_params in enumerate(params):
            line = write(index, instance_params)
            self.file.write(line)
            self._contents.update(line)
            self._params.update(canonical_json(json.loads(line)) + b"\n")
            self.total += 1

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the contents, as hexadecimal digits."""
        return self._contents.hexdigest()

    @property
    def params_digest(self) -> str:
        """Return a SHA-256 that equal params have in common, in whatever order their keys are written."""
        return self._params.hexdigest()

    def manifest(self, orchestration_id: str, count: int) -> IO[bytes]:
        """Return a file of *count* shares, one a line; the state machine launches a container for each."""
        self.file.seek(0)
        manifest = cast("IO[bytes]", SpooledTemporaryFile(max_size=_IN_MEMORY))  # noqa: SIM115 -- the caller's
        for share in shares.cut_shares(map(len, self.file), self.total, count):
            manifest.write(share.manifest_line(orchestration_id))
        return manifest

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()
