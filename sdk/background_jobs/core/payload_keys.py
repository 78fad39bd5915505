"""The keys of payloads, which begin with the service, because the payloads of a service expire together."""

from typing import Final

PAYLOADS: Final = "orchestrations/"
"""How the keys of all payloads begin that belong to orchestrations."""


def payload_prefix(service: str) -> str:
    """Return how the keys of all payloads of *service* begin, which expire together.

    >>> payload_prefix("billing")
    'orchestrations/billing/'
    """
    return f"{PAYLOADS}{service}/"


def payload_folder(service: str, orchestration_id: str) -> str:
    """Return what the keys of an orchestration's payloads begin with, without the slash at its end.

    >>> payload_folder("billing", "0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11")
    'orchestrations/billing/0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11'
    """
    return f"{payload_prefix(service)}{orchestration_id}"
