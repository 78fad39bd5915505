"""Posting to a webhook: once, to that address and no other."""

from collections.abc import Mapping
from concurrent.futures import Future
from http.client import HTTPException, HTTPMessage, InvalidURL
from threading import Thread
from typing import IO, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
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
    answer = Future[None]()
    # A timeout of urllib is for each part of an answer, and a receiver may send a byte at a time.
    Thread(target=_send, args=(request, answer), daemon=True).start()
    host = urlsplit(url).hostname or ""
    try:
        answer.result(_SECONDS)
    except HTTPError as refused:
        with refused:
            raise WebhookRefused(host, f"it answered {refused.code}") from None
    except TimeoutError:
        raise WebhookRefused(host, "it did not answer in time") from None
    except InvalidURL:
        raise WebhookRefused(host, "its address cannot be called") from None
    except HTTPException:
        raise WebhookRefused(host, "its answer is no HTTP") from None
    except (URLError, OSError) as unreachable:
        reason = getattr(unreachable, "reason", unreachable)
        raise WebhookRefused(host, str(reason) or "it did not answer in time") from None


def _send(request: Request, answer: Future[None]) -> None:
    try:
        with _opener.open(request, timeout=_SECONDS):
            answer.set_result(None)
    except Exception as error:  # noqa: BLE001 -- it is raised where the answer is waited for
        answer.set_exception(error)
