"""Every name that users import from `background_jobs`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from background_jobs.aws.history import HistoryPage
from background_jobs.core.batches import batched
from background_jobs.core.completion import JobCompletedEvent
from background_jobs.core.errors import (
    BackgroundJobsError,
    InstanceNotFound,
    InvalidBackfill,
    InvalidJob,
    InvalidKickOff,
    InvalidParams,
    InvalidResult,
    InvalidSchedule,
    InvalidSettings,
    InvalidTimeRange,
    KickOffConflict,
    LibraryNotInstalled,
    MissingSettings,
    OrchestrationNotFound,
    OtherJob,
    PayloadDenied,
    PayloadNotFound,
    ResultMismatch,
    ScheduleDeclared,
    ScheduleEnded,
    ScheduleNotFound,
    ServiceUnreachable,
    UnknownJobName,
)
from background_jobs.core.events import FailedAttempt, JobError
from background_jobs.core.outcomes import Failure, JobFailed, Success
from background_jobs.core.read_model import Summary, Transition
from background_jobs.core.retry import GiveUp, Retry, RetryAfter
from background_jobs.core.schedules.definition import Overlap
from background_jobs.core.schedules.occurrences import RunState, ScheduleRun
from background_jobs.core.stages import Stage
from background_jobs.core.statuses import OrchestrationStatus, Status
from background_jobs.core.views.causes import FailureDigest
from background_jobs.core.views.schedule import ScheduleState
from background_jobs.jobs import JobContext, job_name
from background_jobs.orchestration_service import (
    Cancellation,
    Failures,
    JobResults,
    Orchestration,
    OrchestrationService,
    Pipeline,
    PipelineStage,
    PipelineUpdate,
    Schedule,
    Update,
)
from background_jobs.settings import Settings

if TYPE_CHECKING:
    from background_jobs.worker.main import run_e11_job
else:
    # Callers start without the parts of containers.

    def __getattr__(name: str) -> Any:  # noqa: ANN401 -- whatever bears the name
        if name != "run_e11_job":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module("background_jobs.worker.main").run_e11_job


__all__ = [
    "BackgroundJobsError",
    "Cancellation",
    "FailedAttempt",
    "Failure",
    "FailureDigest",
    "Failures",
    "GiveUp",
    "HistoryPage",
    "InstanceNotFound",
    "InvalidBackfill",
    "InvalidJob",
    "InvalidKickOff",
    "InvalidParams",
    "InvalidResult",
    "InvalidSchedule",
    "InvalidSettings",
    "InvalidTimeRange",
    "JobCompletedEvent",
    "JobContext",
    "JobError",
    "JobFailed",
    "JobResults",
    "KickOffConflict",
    "LibraryNotInstalled",
    "MissingSettings",
    "Orchestration",
    "OrchestrationNotFound",
    "OrchestrationService",
    "OrchestrationStatus",
    "OtherJob",
    "Overlap",
    "PayloadDenied",
    "PayloadNotFound",
    "Pipeline",
    "PipelineStage",
    "PipelineUpdate",
    "ResultMismatch",
    "Retry",
    "RetryAfter",
    "RunState",
    "Schedule",
    "ScheduleDeclared",
    "ScheduleEnded",
    "ScheduleNotFound",
    "ScheduleRun",
    "ScheduleState",
    "ServiceUnreachable",
    "Settings",
    "Stage",
    "Status",
    "Success",
    "Summary",
    "Transition",
    "UnknownJobName",
    "Update",
    "batched",
    "job_name",
    "run_e11_job",
]
