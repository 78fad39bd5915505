"""Kicks off the job for a few customers, and waits for the outcomes; the work would go on without it."""

from background_jobs import OrchestrationService
from jobs import Batch, add_up

service = OrchestrationService()  # its settings are variables, which `local run` sets
params = [Batch(customer=f"customer-{number}", amounts=[number, 2 * number]) for number in range(10)]
# With the job itself, params and results have their types; who has not its code kicks off "add_up".
orchestration = service.kick_off_job(add_up, params, parallelism=2)
successes, failures = orchestration.results(timeout=120)
for success in successes:
    print(f"{success.result.customer}: {success.result.total}")
if failures:
    raise SystemExit(str(failures.digest()))
