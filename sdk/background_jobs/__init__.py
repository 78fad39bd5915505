"""Background Job Service: hand over a job name and an array of params; every one becomes a job instance."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from background_jobs.garbage import without_collecting_garbage

_NAMES_OF_JOBS: Final = {
    "GiveUp": "core.retry",
    "JobContext": "jobs",
    "Retry": "core.retry",
    "RetryAfter": "core.retry",
    "job_name": "jobs",
    "run_e11_job": "worker.main",
}
"""What the module of a job imports; a container starts without the parts for callers."""

if TYPE_CHECKING:
    from background_jobs.public import *  # noqa: F403 -- its __all__ is the list
else:
    # The names are imported when one is asked for, so that `background-jobs --help` need not wait for them.

    def __getattr__(name: str) -> Any:  # noqa: ANN401 -- whatever bears the name
        if module := _NAMES_OF_JOBS.get(name):
            with without_collecting_garbage():
                return getattr(import_module(f"background_jobs.{module}"), name)
        with without_collecting_garbage():
            public = import_module("background_jobs.public")
        if name in {"__all__", *public.__all__}:
            return getattr(public, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return [*globals(), *import_module("background_jobs.public").__all__]
