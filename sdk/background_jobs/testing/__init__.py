"""The service in the process of a test: no AWS, no containers, and no waiting."""

from background_jobs.testing.twin import BackgroundJobs, TwinIsNotOpen, VirtualClock

__all__ = ["BackgroundJobs", "TwinIsNotOpen", "VirtualClock"]
