"""AWS refused, while a test runs, to clients that were made before it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
from botocore.httpsession import URLLib3Session

_DOMAINS: Final = (
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonwebservices.com.cn",
    ".amazonaws.eu",
    ".aws",
)


@contextmanager
def refused_aws() -> Iterator[None]:
    """Refuse what boto3 would send to AWS within the context, and give it a default session for it alone.

    A client keeps the endpoint and the credentials that it was made with, whatever the variables say since,
    and boto3's default session keeps its credentials.
    """
    send, session = URLLib3Session.send, boto3.DEFAULT_SESSION

    def send_elsewhere(self: URLLib3Session, request: Any) -> Any:  # noqa: ANN401 -- botocore has no types
        host = (urlsplit(request.url).hostname or "").rstrip(".")
        if host.endswith(_DOMAINS):
            raise RuntimeError(
                f"{host} was to be called, and this test does not reach AWS. Its client was made before the "
                "test: make it where it is used, or set background_jobs_forbid_aws in pytest's configuration."
            )
        return send(self, request)

    URLLib3Session.send = send_elsewhere  # type: ignore[method-assign] # of clients that are there already
    boto3.DEFAULT_SESSION = None
    try:
        yield
    finally:
        URLLib3Session.send = send  # type: ignore[method-assign]
        boto3.DEFAULT_SESSION = session
