"""S3 in memory: the objects of one bucket."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from background_jobs.testing.client import MemoryClient
from background_jobs.testing.faults import Faults
from background_jobs.testing.refusals import Exceptions
from background_jobs.testing.virtual_time import VirtualTime

_RANGE: Final = re.compile(r"bytes=(\d+)-(\d*)")


class MemoryS3(MemoryClient):
    """One bucket."""

    service = "s3"
    exceptions = Exceptions("NoSuchKey")

    def __init__(self, time: VirtualTime, faults: Faults) -> None:
        super().__init__(time, faults)
        self._objects: dict[str, bytes] = {}
        self._promised: dict[str, Callable[[], bytes]] = {}

    def promise(self, key: str, make: Callable[[], bytes]) -> None:
        """Have an object that is made when it is read first."""
        self._promised[key] = make

    def head_bucket(self, *, Bucket: str) -> dict[str, Any]:  # noqa: N803 -- the names of boto3
        """Do nothing: the bucket is there."""
        del Bucket
        self._request("HeadBucket")
        return {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str = "") -> dict[str, Any]:  # noqa: N803 -- the same
        """Store an object."""
        del Bucket, ContentType
        self._request("PutObject")
        self._objects[Key] = Body
        return {}

    def get_object(self, *, Bucket: str, Key: str, Range: str = "bytes=0-") -> dict[str, Any]:  # noqa: N803 -- the same
        """Return an object, or a part of it."""
        del Bucket
        self._request("GetObject")
        part = _RANGE.fullmatch(Range)
        if part is None:
            raise NotImplementedError(f"The twin cannot read {Range!r}.")
        if make := self._promised.pop(Key, None):
            self._objects.setdefault(Key, make())
        if Key not in self._objects:
            raise self.exceptions.make("NoSuchKey", "GetObject", "The specified key does not exist.")
        end = int(part[2]) + 1 if part[2] else None
        return {"Body": _Body(self._objects[Key][int(part[1]) : end])}

    def delete_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 -- the same
        """Remove an object, if it is there."""
        del Bucket
        self._request("DeleteObject")
        self._objects.pop(Key, None)
        return {}


class _Body:
    """What is read of an object."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self) -> bytes:
        return self._content

    def iter_lines(self, chunk_size: int = 0) -> Iterator[bytes]:
        del chunk_size
        return iter(self._content.splitlines())
