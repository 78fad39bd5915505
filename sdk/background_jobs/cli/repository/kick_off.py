"""Kicks off the job for a few customers, and waits for the outcomes; the work would go on without it."""

from background_jobs import OrchestrationService

service = OrchestrationService()  # its settings are variables, which `local run` sets
params = [{"customer": f"customer-{number}", "amounts": [number, 2 * number]} for number in range(10)]
orchestration = service.kick_off_job("add_up", params, parallelism=2)
successes, failures = orchestration.results(timeout=120)
for success in successes:
    print(success.result)
if failures:
    raise SystemExit(str(failures.digest()))
