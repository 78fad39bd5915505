"""The signature of a webhook, by which its receiver knows the sender."""

import hmac
from base64 import b64decode, b64encode
from datetime import datetime
from hashlib import sha256
from typing import Final

_PREFIX: Final = "whsec_"
"""How a secret begins whose rest is the key in base64."""


def signed_headers(secret: str, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the headers of a webhook that is sent at the moment *at*.

    A *secret* is ``whsec_`` and the key in base64; any other text is the key itself. Raises ValueError where
    what follows ``whsec_`` is no base64, or where there is no key.
    Source: "Standard Webhooks", version 1, "Webhook signatures".

    >>> from datetime import UTC
    >>> signed_headers("key", "e-1", datetime(2026, 11, 23, tzinfo=UTC), b"{}")["webhook-timestamp"]
    '1795392000'
    """
    timestamp = str(int(at.timestamp()))
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    digest = hmac.new(_key(secret), signed, sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{b64encode(digest).decode()}",
    }


def _key(secret: str) -> bytes:
    secret = secret.strip()  # a secret that came from a file ends with a line
    key = _decode(secret.removeprefix(_PREFIX)) if secret.startswith(_PREFIX) else secret.encode()
    if not key:
        raise ValueError("the secret has no key: anybody could sign with it")
    return key


def _decode(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as invalid:
        raise ValueError(f"what follows {_PREFIX} in the secret is no base64") from invalid
