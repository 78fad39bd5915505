"""What callers use: kick off, re-attach, watch, and collect results."""

from background_jobs.orchestration_service.orchestration import Cancellation, Orchestration, Update
from background_jobs.orchestration_service.service import OrchestrationService

__all__ = ["Cancellation", "Orchestration", "OrchestrationService", "Update"]
