"""What the scopes and groups of a caller's token allow: some services, or all of them.

A token may read, or also write, all services of an environment, or those that are named. The names are
scopes of Amazon Cognito, ``<resource server>/<scope>``; groups of a user may have the same names. Each is
compared as a whole, and none of them can be mistaken for another: an environment and a service have neither
a dot nor a slash.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

READ: Final = "read"
WRITE: Final = "write"
SERVICES: Final = "services"
"""The scope of those who may use what their further scopes and groups name, and nothing else."""
SCOPES_OF_A_SERVER: Final = 100
"""The most scopes of one resource server. Source: Cognito API Reference, CreateResourceServer."""


def resource_server(environment: str, what: str | None = None) -> str:
    """Return the resource server of an environment, or the one whose scopes let services *what*.

    >>> resource_server("prod"), resource_server("prod", READ)
    ('background-jobs-prod', 'background-jobs-prod.read')
    """
    return f"background-jobs-{environment}" + (f".{what}" if what else "")


def environment_scope(environment: str, what: str) -> str:
    """Return the scope for all services of an environment.

    >>> environment_scope("prod", WRITE)
    'background-jobs-prod/write'
    """
    return f"{resource_server(environment)}/{what}"


def service_scope(environment: str, what: str, service: str) -> str:
    """Return the scope, and the group, for one service.

    >>> service_scope("prod", READ, "billing")
    'background-jobs-prod.read/billing'
    """
    return f"{resource_server(environment, what)}/{service}"


@dataclass(frozen=True, slots=True)
class Access:
    """The services that a caller may read, and those that it may also write; None for all of them."""

    readable: frozenset[str] | None = None
    writable: frozenset[str] | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing that the caller may read, nor write."""
        return self.readable == frozenset()

    def may_read(self, service: str) -> bool:
        """Tell whether the caller may read what belongs to *service*."""
        return self.readable is None or service in self.readable

    def may_write(self, service: str) -> bool:
        """Tell whether the caller may kick off and change what belongs to *service*."""
        return self.writable is None or service in self.writable


def access_of(granted: Collection[str], environment: str) -> Access:
    """Return what the scopes and groups *granted* allow in an environment; who may write may read.

    >>> access_of(["background-jobs-prod.write/billing", "openid"], "prod").readable
    frozenset({'billing'})
    """
    writes_all = environment_scope(environment, WRITE) in granted
    reads_all = writes_all or environment_scope(environment, READ) in granted
    writable = frozenset(_services(granted, resource_server(environment, WRITE)))
    readable = writable.union(_services(granted, resource_server(environment, READ)))
    return Access(None if reads_all else readable, None if writes_all else writable)


def _services(granted: Iterable[str], server: str) -> Iterable[str]:
    return (name.removeprefix(f"{server}/") for name in granted if name.startswith(f"{server}/"))
