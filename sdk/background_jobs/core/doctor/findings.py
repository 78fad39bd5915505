"""A finding: what is well or wrong in one place of an environment, and what to do next."""

from collections.abc import Iterable
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from background_jobs.core.wording import count_of


class Level(StrEnum):
    """How a finding is meant."""

    OK = "ok"
    WARNING = "warning"
    """Jobs run, and something will be missed or will wait."""
    PROBLEM = "problem"
    """Something does not work."""
    UNKNOWN = "unknown"
    """It could not be asked, most often because the credentials may not."""
    NOT_HERE = "not here"
    """The offline stack has no such thing."""


class Area(StrEnum):
    """The part of an environment that a finding is about, in the order in which they are asked."""

    SETTINGS = "Settings"
    VERSION = "Version"
    REACHABILITY = "Reachability"
    PERMISSIONS = "Permissions"
    SERVICES = "Services"
    QUOTAS = "Quotas"
    ALARMS = "Alarms"
    FAILURE_QUEUE = "Failure queue"
    FUNCTIONS = "Functions"
    SCHEDULES = "Schedules"


class Finding(BaseModel):
    """One finding."""

    model_config = ConfigDict(frozen=True)

    area: Area
    level: Level
    sentence: str
    next_step: str = ""
    """What to do about it; empty where nothing is to be done."""


def ok(area: Area, sentence: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(area=area, level=Level.OK, sentence=sentence)


def warning(area: Area, sentence: str, next_step: str) -> Finding:
    """Return a finding that something will be missed or will wait."""
    return Finding(area=area, level=Level.WARNING, sentence=sentence, next_step=next_step)


def problem(area: Area, sentence: str, next_step: str) -> Finding:
    """Return a finding that something does not work."""
    return Finding(area=area, level=Level.PROBLEM, sentence=sentence, next_step=next_step)


def unknown(area: Area, sentence: str, next_step: str) -> Finding:
    """Return a finding that something could not be asked."""
    return Finding(area=area, level=Level.UNKNOWN, sentence=sentence, next_step=next_step)


def not_here(area: Area, sentence: str) -> Finding:
    """Return a finding that the offline stack has no such thing."""
    return Finding(area=area, level=Level.NOT_HERE, sentence=sentence)


def count_findings(findings: Iterable[Finding]) -> str:
    """Return how many findings there are of each level that asks for something to be done.

    >>> count_findings([warning(Area.ALARMS, "No alarms.", "Deploy some.")])
    '0 problems, 1 warning'
    """
    levels = [finding.level for finding in findings]
    counts = [
        count_of(levels.count(Level.PROBLEM), "problem"),
        count_of(levels.count(Level.WARNING), "warning"),
    ]
    if unknowns := levels.count(Level.UNKNOWN):
        counts.append(f"{unknowns} unknown")
    return ", ".join(counts)
