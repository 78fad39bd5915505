"""The causes of failures, so that 10,000 of them can be read."""

import json
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field

from background_jobs.core.limits import PAGE
from background_jobs.core.payloads import bounded
from background_jobs.core.views.html_tables import ROWS, table, titled_table
from background_jobs.core.views.page import Page
from background_jobs.core.wording import count_of

EXAMPLES: Final = 20
"""The most indices that a cause lists."""
MOST_TOLD_APART: Final = 5_000
"""The most causes that are told apart; failures of others are counted alone."""
_LINE_CHARACTERS: Final = 300
_MARK: Final = "\N{REPLACEMENT CHARACTER}"


class CommonParam(BaseModel):
    """A param that has the same value in every failure of a cause."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="Its name; where it is nested, a path with dots.")
    value: str | int | float | bool | None
    instances: int = Field(description="How many instances of the orchestration have it, failed or not.")

    def __str__(self) -> str:
        return f"{self.name}={self.value if isinstance(self.value, str) else json.dumps(self.value)}"


class Cause(BaseModel):
    """A group of failures with the same error type, message (apart from values in it) and place."""

    model_config = ConfigDict(frozen=True)

    cause_id: str = Field(description="The same for the same type, message and place, on every page.")
    type: str
    message: str = Field(description="The first of the messages.")
    place: str = Field(description="The innermost frame of the traceback, `file:line in function`, or empty.")
    count: int = Field(description="How many instances gave up for it.")
    retrying: int = Field(
        default=0, description="How many further instances failed for it, and wait for their next attempt."
    )
    repaired: int = Field(default=0, description="How many of its instances have completed in a rerun.")
    indices: list[int] = Field(
        description=f"The first {EXAMPLES} instances, those that gave up before those that are retrying."
    )
    common: list[CommonParam] = Field(
        default=[],
        description="The params that all its failures share but not all instances do, the rarest first.",
    )

    def described(self) -> str:
        """Return its type and its message in a line of some hundred characters."""
        return bounded(f"{self.type}: {self.message}", _LINE_CHARACTERS)


class CausePage(Page[Cause]):
    """A page of the causes of an orchestration's failures, the most frequent first."""

    total: int = Field(description="How many instances the orchestration has.")
    failed: int
    retrying: int = Field(
        default=0, description="How many instances failed, and wait for their next attempt."
    )
    causes: int = Field(
        description=f"How many causes there are in all; {MOST_TOLD_APART:,} at most are told apart."
    )


class FailureDigest(BaseModel):
    """The failures of an orchestration, grouped by cause."""

    model_config = ConfigDict(frozen=True)

    total: int = Field(description="How many instances the orchestration has.")
    failed: int
    retrying: int = Field(
        default=0, description="How many instances failed, and wait for their next attempt."
    )
    causes: list[Cause] = Field(description=f"The most frequent first; {PAGE} at most.")
    more_causes: int = Field(
        default=0,
        description="How many further causes there are, none of them more frequent. "
        f"At most {MOST_TOLD_APART:,} causes are told apart in all.",
    )

    def __repr__(self) -> str:
        return f"<FailureDigest: {self._counts()}>"

    def _repr_html_(self) -> str:
        shown = self.causes[:ROWS]
        rows = [
            (f"{cause.count:,}", cause.described(), ", ".join(map(str, cause.common)), cause.place)
            for cause in shown
        ]
        title = f"{count_of(self.failed, 'failure')} of {count_of(self.total, 'instance')}"
        left = len(self.causes) + self.more_causes - len(shown)
        return titled_table(
            title, table(("count", "cause", "params in common", "place"), rows), left, "cause"
        )

    @classmethod
    def of(cls, page: CausePage) -> Self:
        """Return the digest whose causes are those of *page*, the first one."""
        more = page.causes - len(page.items)
        return cls(
            total=page.total,
            failed=page.failed,
            retrying=page.retrying,
            causes=page.items,
            more_causes=more,
        )

    def __str__(self) -> str:
        """Return a line of counts, and one of each cause."""
        more = [f"  and {count_of(self.more_causes, 'further cause')}"] if self.more_causes else []
        return "\n".join([self._counts(), *map(_line_of, self.causes), *more])

    def _counts(self) -> str:
        causes = count_of(len(self.causes) + self.more_causes, "cause")
        retrying = f" and {self.retrying:,} retrying" if self.retrying else ""
        return f"{count_of(self.failed, 'failure')}{retrying}, {causes}"


def _line_of(cause: Cause) -> str:
    retrying = f" and {cause.retrying:,} retrying" if cause.retrying else ""
    common = f"; always has {', '.join(map(str, cause.common))}" if cause.common else ""
    text = " ".join(f"{cause.described()}{common}".split())
    # Messages and params may hold what controls a terminal.
    safe = "".join(char if char.isprintable() else _MARK for char in text)
    return f"  {cause.count:,}{retrying} of {safe}"
