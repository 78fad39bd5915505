"""A caller that kicks off and reads when its main thread has ended: in another thread, and at exit."""

import atexit
import sys
import threading

from background_jobs import OrchestrationService

# Params beyond 8 MB are uploaded in parts, and outcomes in many partitions are read at the same time.
PARAMS = [{"note": "x" * 15_000} for _ in range(600)]


def call(service: OrchestrationService, when: str) -> None:
    orchestration = service.kick_off_job("fussy", PARAMS, parallelism=1, tags={"when": when})
    successes, failures = service.get_job_results(orchestration.id, timeout=120)
    sys.stdout.write(f"{when} {len(successes)} {failures}\n")
    sys.stdout.flush()


def main() -> None:
    service = OrchestrationService()
    atexit.register(call, service, "at exit")
    main_thread = threading.current_thread()

    def wait_and_call() -> None:
        main_thread.join()
        call(service, "in a thread")

    threading.Thread(target=wait_and_call).start()


if __name__ == "__main__":
    main()
