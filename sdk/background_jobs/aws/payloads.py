"""The payload bucket in S3: params, share manifests, and results that are too large for an event."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from background_jobs.aws.clients import reaching_aws, upload_file
from background_jobs.core.errors import PayloadDenied, PayloadNotFound

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Payloads:
    """Objects under ``orchestrations/<service>/<orchestration id>/`` and ``schedules/<name>/``."""

    def __init__(self, client: "Callable[[], S3Client]", bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    @property
    def _s3(self) -> "S3Client":
        # A client of S3 takes a tenth of a second to make, and most callers need no payloads.
        return self._client()

    def find_bucket(self) -> None:
        """Do nothing where the bucket is there. Raises ClientError."""
        self._s3.head_bucket(Bucket=self.bucket)

    @reaching_aws
    def upload(self, key: str, file: IO[bytes]) -> None:
        """Store everything in *file*, from its start; beyond 8 MB in parts."""
        try:
            upload_file(self._s3, file, self.bucket, key)
        except RuntimeError:
            # Python starts no threads in `atexit` handlers and in threads that outlive the main one.
            upload_file(self._s3, file, self.bucket, key, threads=False)

    @reaching_aws
    def put(self, key: str, document: bytes) -> None:
        """Store one JSON document."""
        self._s3.put_object(Bucket=self.bucket, Key=key, Body=document, ContentType="application/json")

    @reaching_aws
    def get(self, key: str, byte_range: str | None = None) -> bytes:
        """Return an object, or its bytes ``<first>-<last>``. Raises PayloadNotFound or PayloadDenied."""
        part = f"bytes={byte_range or '0-'}"
        with self._reading(key):
            return self._s3.get_object(Bucket=self.bucket, Key=key, Range=part)["Body"].read()

    @reaching_aws
    def remove(self, key: str) -> None:
        """Remove an object of a schedule; objects of orchestrations expire by themselves."""
        self._s3.delete_object(Bucket=self.bucket, Key=key)

    @reaching_aws
    def lines(self, key: str, *, from_byte: int = 0) -> Iterator[bytes]:
        """Yield the lines of an object from a byte on as they arrive.

        Raises PayloadNotFound or PayloadDenied.
        """
        part: Any = {"Range": f"bytes={from_byte}-"} if from_byte else {}
        with self._reading(key):
            body = self._s3.get_object(Bucket=self.bucket, Key=key, **part)["Body"]
        return reaching_aws(body.iter_lines)(chunk_size=1 << 16)

    @contextmanager
    def _reading(self, key: str) -> Iterator[None]:
        try:
            yield
        except self._s3.exceptions.NoSuchKey as absent:
            raise PayloadNotFound(key) from absent
        except self._s3.exceptions.ClientError as refused:
            if refused.response["Error"]["Code"] != "AccessDenied":
                raise
            raise PayloadDenied(key) from refused
