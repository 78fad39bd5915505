"""A check: a question to AWS about one thing, and what its refusal means."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from background_jobs.aws.questions import Refusal, ask
from background_jobs.core.doctor.findings import Area, Finding, problem, unknown


@dataclass(frozen=True, slots=True)
class Check:
    """One question, with the permission that it takes."""

    area: Area
    subject: str
    """What is asked about, as a sentence begins: ``The event log event-log``."""
    permission: str
    run: Callable[[], Iterable[Finding]]

    def findings(self) -> list[Finding]:
        """Ask, and return what was found."""
        found = ask(lambda: list(self.run()))
        return [self.explain(found)] if isinstance(found, Refusal) else found

    def explain(self, refusal: Refusal) -> Finding:
        """Return what a refusal means."""
        match refusal.kind:
            case "denied":
                return unknown(
                    self.area,
                    f"{self.subject} is unknown: these credentials may not {self.permission}.",
                    "Let somebody ask who may: OperatorPolicy, an output of the stack, allows it.",
                )
            case "absent":
                return problem(
                    self.area,
                    f"{self.subject} is not there: {refusal.message}",
                    "Take the outputs of the stack as settings again; if they name it, deploy again.",
                )
            case "unreachable":
                return problem(
                    self.area, f"{self.subject} is out of reach: {refusal.message}", "See what this says."
                )
            case "credentials":
                return unknown(
                    self.area,
                    f"{self.subject} is unknown: {refusal.message}",
                    "Sign in again, or use other credentials (AWS_PROFILE), and ask again.",
                )
            case _:
                return unknown(
                    self.area, f"{self.subject} is unknown: {refusal.message}", "Ask again in a minute."
                )
