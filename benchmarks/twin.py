"""How fast the twin is: seconds for a test of three instances, and for ten thousand."""

import time

from background_jobs import job_name
from background_jobs.testing import BackgroundJobs


@job_name("double")
class Double:
    """The least that a job can do."""

    def run(self, params: dict[str, int]) -> int:
        """Return the double."""
        return 2 * params["n"]


def measure(instances: int) -> float:
    """Return the seconds from opening a twin to closing it, with the results of so many instances."""
    begun = time.perf_counter()
    with BackgroundJobs([Double]) as jobs:
        jobs.service.kick_off_job(Double, [{"n": n} for n in range(instances)]).results()
    return time.perf_counter() - begun


measure(1)  # what is imported first is no part of it
for count, times in ((3, 50), (10_000, 3)):
    print(f"{count:,} instances: {min(measure(count) for _ in range(times)) * 1000:,.0f} ms")
