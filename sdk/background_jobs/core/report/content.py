"""What a report is made of: the views of one orchestration, read at about the same moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from background_jobs.core.events import OrchestrationStarted
from background_jobs.core.views.causes import FailureDigest
from background_jobs.core.views.comparison import Comparison
from background_jobs.core.views.containers import ContainerView
from background_jobs.core.views.cost import Cost
from background_jobs.core.views.event_history import EventHistory
from background_jobs.core.views.instances import InstanceDetail
from background_jobs.core.views.orchestration import OrchestrationView
from background_jobs.core.views.pipeline import StageView
from background_jobs.core.views.throughput import Throughput

EXAMPLES: Final = 20
"""Of how many causes, the most frequent ones, an instance is shown with its params and its traceback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContent:
    """All that a report says."""

    written_at: datetime
    version: str
    """Of this package."""
    view: OrchestrationView
    started: OrchestrationStarted
    letters: str
    """The state of each instance, a letter each."""
    throughput: Throughput
    digest: FailureDigest | None
    """None once the params have expired."""
    examples: Mapping[int, InstanceDetail]
    """The first instances of the most frequent causes, by index."""
    containers: Sequence[ContainerView]
    cost: Cost
    history: EventHistory
    stages: Sequence[StageView]
    comparison: Comparison | None
    """With the original; None where it runs no other again, or where params have expired."""
