"""Everything that `show` prints of one orchestration."""

from pydantic import BaseModel, Field

from background_jobs.core.views.cost import Cost
from background_jobs.core.views.event_history import EventHistory
from background_jobs.core.views.orchestration import OrchestrationView
from background_jobs.core.views.pipeline import StageView


class OrchestrationDetail(BaseModel):
    """One orchestration: how it stands, its event history, its stages and what it costs."""

    orchestration: OrchestrationView
    event_history: EventHistory
    stages: list[StageView] = Field(description="Those of its pipeline; itself alone where it is in none.")
    cost: Cost = Field(
        description="At list prices, for the sizes that containers reported, or else 0.5 vCPU and 1 GB. What "
        "capacity of one's own costs is not known, and in words only."
    )
