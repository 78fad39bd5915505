"""How long events, read model and payloads are kept, by service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Retention:
    """The days that an environment keeps data, and those of services that differ.

    >>> Retention(90, {"billing": 365}).of("billing").days
    365
    >>> Retention(90, {"billing": 365}).of("reports").days
    90
    """

    days: int
    by_service: Mapping[str, int] = field(default_factory=dict)

    def of(self, service: str) -> timedelta:
        """Return how long the data of *service* are kept; the longest time where it is empty, not known."""
        return timedelta(days=self.by_service.get(service, self.days)) if service else self.longest

    @property
    def longest(self) -> timedelta:
        """Return the longest time that any data are kept."""
        return timedelta(days=max([self.days, *self.by_service.values()]))
