"""Posting to a webhook: once, to that address and no other."""

from collections.abc import Mapping
from http.client import HTTPMessage
from typing import IO, Final
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from background_jobs.core.errors import BackgroundJobsError

_SECONDS: Final = 15
"""How long a receiver may take to answer."""


class WebhookRefused(BackgroundJobsError):
    """A webhook did not answer with a status from 200 to 299."""

    def __init__(self, host: str, reason: str) -> None:
        self.host, self.reason = host, reason
        super().__init__(f"The webhook at {host} did not take the notification: {reason}.")


class _NoRedirects(HTTPRedirectHandler):
    """Whoever declared the address has not declared where a receiver would send us."""

    def redirect_request(  # noqa: PLR0913, PLR0917 -- of urllib
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        del req, fp, code, msg, headers, newurl
        return None


_opener: Final = build_opener(ProxyHandler({}), _NoRedirects())


def post(url: str, headers: Mapping[str, str], body: bytes) -> None:
    """Post JSON to *url*. Raises WebhookRefused, which names the host and not the address."""
    sent = {"content-type": "application/json", "user-agent": "background-jobs", **headers}
    request = Request(url, data=body, headers=sent, method="POST")  # noqa: S310 -- the stack allows HTTP(S) alone
    try:
        with _opener.open(request, timeout=_SECONDS):
            pass
    except HTTPError as refused:
        with refused:
            raise WebhookRefused(request.host, f"it answered {refused.code}") from None
    except (URLError, OSError) as unreachable:
        reason = getattr(unreachable, "reason", unreachable)
        raise WebhookRefused(request.host, str(reason) or "it did not answer in time") from None
