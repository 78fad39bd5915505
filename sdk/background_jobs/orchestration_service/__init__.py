"""The service for callers: kick off, re-attach, watch, and collect results."""

from background_jobs.core.views.orchestration import Cancellation
from background_jobs.orchestration_service.job_results import Failures, JobResults
from background_jobs.orchestration_service.orchestration import Orchestration
from background_jobs.orchestration_service.pipeline import Pipeline, PipelineStage, PipelineUpdate
from background_jobs.orchestration_service.schedule import Schedule
from background_jobs.orchestration_service.service import OrchestrationService
from background_jobs.orchestration_service.watching import Update

__all__ = [
    "Cancellation",
    "Failures",
    "JobResults",
    "Orchestration",
    "OrchestrationService",
    "Pipeline",
    "PipelineStage",
    "PipelineUpdate",
    "Schedule",
    "Update",
]
