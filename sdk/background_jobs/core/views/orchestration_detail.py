"""Everything that `show` prints of one orchestration."""

from collections.abc import Sequence
from typing import Self

from pydantic import BaseModel, Field

from background_jobs.core.containers.capacity import ON_DEMAND
from background_jobs.core.planning.costs import Bill, estimate_cost
from background_jobs.core.planning.fargate import TaskSize
from background_jobs.core.views.event_history import EventHistory
from background_jobs.core.views.orchestration import OrchestrationView
from background_jobs.core.views.pipeline import StageView


class OrchestrationDetail(BaseModel):
    """One orchestration: how it stands, its event history, its stages and what it costs."""

    orchestration: OrchestrationView
    event_history: EventHistory
    stages: list[StageView] = Field(description="Those of its pipeline; itself alone where it is in none.")
    bill: Bill = Field(
        description="At list prices, for the size that containers reported, or else 0.5 vCPU and 1 GB. What "
        "capacity of one's own costs is not known, and in words only."
    )

    @classmethod
    def of(cls, view: OrchestrationView, history: EventHistory, stages: Sequence[StageView]) -> Self:
        """Return the details of the orchestration of *view*, and estimate what it costs."""
        usual = TaskSize()
        bill = estimate_cost(
            total=view.total,
            containers=history.containers,
            container_seconds=history.container_seconds,
            cpu=history.cpu or usual.cpu,
            memory_mib=history.memory_mib or usual.memory_mib,
            capacity_provider=history.capacity_provider or ON_DEMAND,
        )
        return cls(orchestration=view, event_history=history, stages=list(stages), bill=bill)
