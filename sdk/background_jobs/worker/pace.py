"""How long the instances of a container take: whether it is worth it to move them between containers."""

from background_jobs.core.limits import CLAIM_INSTANCE_SECONDS


class Pace:
    """The mean time that a process takes for an attempt: a part of its duration where several run at once."""

    def __init__(self) -> None:
        self._at_once = 1
        self._count = 0
        self._seconds = 0.0

    def run_at_once(self, count: int) -> None:
        """Say how many attempts run at once."""
        self._at_once = count

    def note(self, seconds: float) -> None:
        """Add the time of one attempt."""
        self._count += 1
        self._seconds += seconds

    @property
    def mean(self) -> float:
        """Return the mean in seconds; 0 before the first."""
        return self._seconds / (self._count * self._at_once) if self._count else 0.0

    @property
    def is_worth_moving(self) -> bool:
        """Tell whether instances take so long that others may claim them."""
        return self.mean >= CLAIM_INSTANCE_SECONDS

    @property
    def may_be_worth_moving(self) -> bool:
        """Tell the same where the first attempts run at once: they begin before it is known."""
        return self.is_worth_moving or (self._at_once > 1 and not self._count)
