"""Whether the progress API answers, behind API Gateway or on this machine."""

from http.client import HTTPException
from typing import Final
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from background_jobs.aws import clients

_SECONDS: Final = 15.0
_LOCAL: Final = ("127.0.0.1", "localhost", "::1")


def ask_progress_api(api_url: str) -> int:
    """Return the HTTP status with which the API at *api_url* answers. Raises OSError if it does not.

    It is asked for its own description, which it has without asking anybody else. The request is signed
    (SigV4), unless the API is on this machine.
    """
    url = f"{api_url.rstrip('/')}/openapi.json"
    headers = {} if urlsplit(url).hostname in _LOCAL else clients.signed_headers("GET", url, b"")
    request = Request(url, headers=headers)  # noqa: S310 -- the settings take http and https only
    try:
        with urlopen(request, timeout=_SECONDS) as response:  # noqa: S310 -- the same
            return int(response.status)
    except HTTPError as refused:
        with refused:
            return refused.code
    except HTTPException as other:
        # What answers there is no HTTP server, or the address is none.
        raise OSError(str(other).strip()) from other
