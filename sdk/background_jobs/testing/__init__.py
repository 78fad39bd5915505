"""The service in the process of a test: no AWS, no containers, and no waiting."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from background_jobs.testing.twin import BackgroundJobs, TwinIsNotOpen, VirtualClock

__all__ = ["BackgroundJobs", "TwinIsNotOpen", "VirtualClock"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- whatever bears the name
    # Imported when it is asked for: pytest imports the plugin in every session.
    if name in __all__:
        return getattr(import_module("background_jobs.testing.twin"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
