"""The endpoint that LOCALSTACK_HOST names, as LocalStack's own tools read it, and as a URL."""

from typing import Final
from urllib.parse import urlsplit

_PORT: Final = 4566
"""LocalStack's port for all services."""


def endpoint_of(host: str, *, use_ssl: bool = False) -> str:
    """Return the URL of *host*: a name or address, perhaps with a port, or a URL, which says itself how.

    Raises ValueError, which says what is wrong with it.

    >>> endpoint_of("stack.example"), endpoint_of("https://stack.example/")
    ('http://stack.example:4566', 'https://stack.example:4566')
    """
    text = host.strip()
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "https" if use_ssl else "http", text
    if scheme not in ("http", "https"):
        raise ValueError(f"it begins with {scheme}://, and an emulator is at http:// or https://")
    # A name of nothing but a port is this machine, as for LocalStack's own client.
    url = urlsplit(f"{scheme}://localhost{rest}" if rest.startswith(":") else f"{scheme}://{rest}")
    try:
        port = url.port
    except ValueError:
        raise ValueError("what follows its last colon is no port") from None
    if not url.hostname or url.path.strip("/") or url.query or url.fragment or url.username:
        raise ValueError("it is to be a host, a host and a port, or a URL of these, as in localhost:4566")
    name = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return f"{scheme}://{name}:{_PORT if port is None else port}"
