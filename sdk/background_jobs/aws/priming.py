"""Clients that have read and compiled what their first calls need, so that forks of them need not do it."""

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import botocore
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

_PUT: Final[dict[str, Any]] = {"TableName": "-", "Item": {"pk": {"S": "-"}}}
_QUERY: Final = {
    "TableName": "-",
    "KeyConditionExpression": "pk = :pk",
    "ExpressionAttributeValues": {":pk": {"S": "-"}},
}
_CALLS: Final[Mapping[str, tuple[Callable[[Any], object], ...]]] = {
    "dynamodb": (
        lambda client: list(client.get_paginator("query").paginate(**_QUERY)),
        lambda client: client.put_item(**_PUT),
        lambda client: client.transact_write_items(TransactItems=[{"Put": _PUT}]),
    ),
    "s3": (
        lambda client: client.get_object(Bucket="priming", Key="-"),
        lambda client: client.put_object(Bucket="priming", Key="-", Body=b"{}"),
    ),
}
_log: Final = logging.getLogger(__name__)


class _EmptyBody:
    """What botocore reads of the body of an answer."""

    def stream(self) -> Iterator[bytes]:
        return iter(())


def prime(client: Any) -> None:  # noqa: ANN401 -- a client of any service
    """Have *client* prepare each call of a container, and read an empty answer; nothing is sent.

    It is left as it is if its credentials have to be asked for, or if something instruments botocore, which
    would report the calls.
    """
    if not _has_fixed_credentials(client) or _is_instrumented():
        return
    # Looked up by all that connects.
    "".encode("idna")
    events, handlers = client.meta.events, {"choose-signer": _choose_none, "before-send": _answer}
    for event, handler in handlers.items():
        events.register_first(event, handler)
    try:
        for call in _CALLS[client.meta.service_model.service_name]:
            call(client)
    except Exception:  # noqa: BLE001 -- it is of botocore's inner parts, and calls do without
        _log.warning(
            "The clients of containers could not be primed: each container takes longer", exc_info=True
        )
    finally:
        for event, handler in handlers.items():
            events.unregister(event, handler)


def _has_fixed_credentials(client: Any) -> bool:  # noqa: ANN401 -- as above
    """Tell whether nothing has to be asked for; where botocore does not say so any more, something has."""
    signer = getattr(client, "_request_signer", None)
    return type(getattr(signer, "_credentials", "")) in (Credentials, type(None))


def _is_instrumented() -> bool:
    """Tell whether something stands for the method that tracers replace."""
    code = getattr(getattr(BaseClient, "_make_api_call", None), "__code__", None)
    return code is None or Path(code.co_filename).parent != Path(botocore.__file__).parent


def _choose_none(**_: object) -> object:
    return UNSIGNED


def _answer(request: Any, **_: object) -> AWSResponse:  # noqa: ANN401 -- of botocore
    return AWSResponse(request.url, 200, HTTPHeaders(), _EmptyBody())
