"""Processes that end at a given call of AWS."""

from background_jobs.aws import clients


class Crash(Exception):
    """The process ends here."""


class CrashPoint:
    """Ends the process before or after its nth call of AWS."""

    def __init__(self, when: str) -> None:
        self.calls = 0
        self.armed_at: int | None = None
        for client in (clients.dynamodb(), clients.s3(), clients.events()):
            client.meta.events.register(f"{when}-call", self._count)

    def arm(self, nth: int) -> None:
        self.calls, self.armed_at = 0, nth

    def disarm(self) -> bool:
        """Let all further calls pass, and return whether the crash point was reached."""
        reached = self.armed_at is not None and self.calls >= self.armed_at
        self.armed_at = None
        return reached

    def _count(self, **_: object) -> None:
        self.calls += 1
        if self.armed_at is not None and self.calls >= self.armed_at:
            raise Crash
