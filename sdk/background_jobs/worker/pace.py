"""How long the instances of a container take: whether it is worth it to move them between containers."""

from background_jobs.core.limits import CLAIM_INSTANCE_SECONDS


class Pace:
    """The mean time of the attempts that a process has run."""

    def __init__(self) -> None:
        self._count = 0
        self._seconds = 0.0

    def note(self, seconds: float) -> None:
        """Add the time of one attempt."""
        self._count += 1
        self._seconds += seconds

    @property
    def mean(self) -> float:
        """Return the mean in seconds; 0 before the first."""
        return self._seconds / self._count if self._count else 0.0

    @property
    def is_worth_moving(self) -> bool:
        """Tell whether instances take so long that others may claim them."""
        return self.mean >= CLAIM_INSTANCE_SECONDS
