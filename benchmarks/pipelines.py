"""Stages and reruns measured on this machine: `make bench`.

The gap between two stages is from the last outcome of the first to the first start in the second, as their
summaries have them. The calls of a rerun are those of the caller, counted by the emulator.
"""

import json
import os
import statistics
import time
import urllib.request
from collections import Counter
from pathlib import Path

from background_jobs import Orchestration, OrchestrationService, Stage
from background_jobs.local_stack import LocalStack
from background_jobs.local_stack.call_counter import PATH

ROUNDS = 5
RERUN = 10_000
PATIENCE = 600


def main() -> None:
    """Run every measurement and print a line for each."""
    with LocalStack(str(Path(__file__).with_name("jobs.py")), containers=2) as stack:
        for name in stack.unwanted_variables:
            del os.environ[name]
        os.environ.update(stack.variables)
        service = OrchestrationService()
        for total in (10, 1_000):
            gaps = sorted(_gap(service, total) for _ in range(ROUNDS))
            print(
                f"completion of a stage of {total:,} to the first instance of the next: "
                f"median {statistics.median(gaps):.2f} s, at most {gaps[-1]:.2f} s"
            )
        first = service.kick_off_job("picky", ({"n": n} for n in range(RERUN)), parallelism=2)
        failed = first.wait(PATIENCE).errored
        before, began = _calls(stack), time.monotonic()
        again = first.rerun()
        seconds = time.monotonic() - began
        calls = _calls(stack) - before
        print(
            f"rerun of {failed:,} failures out of {RERUN:,}: {seconds:.2f} s, "
            f"{sum(calls.values())} calls ({', '.join(f'{n} {name}' for name, n in sorted(calls.items()))})"
        )
        again.wait(PATIENCE)
        began = time.monotonic()
        merged = service.get_job_results(first.id, merged=True)
        print(
            f"one merged answer over both: {len(merged.successes):,} successes and "
            f"{len(merged.failures or []):,} failures in {time.monotonic() - began:.2f} s"
        )


def _gap(service: OrchestrationService, total: int) -> float:
    params = [{"n": n} for n in range(total)]
    then = Stage("no_op", params={"n": "$result"}, parallelism=2)
    first = service.kick_off_job("no_op", params, parallelism=2, then=then)
    first_stage, second_stage = (
        _require_started(stage.orchestration) for stage in first.pipeline().wait(PATIENCE)
    )
    ended, began = first_stage.summary().last_outcome_at, second_stage.summary().first_job_at
    if ended is None or began is None:
        raise SystemExit(f"The stages of {first.id} did not run.")
    return (began - ended).total_seconds()


def _require_started(orchestration: Orchestration | None) -> Orchestration:
    if orchestration is None:
        raise SystemExit("A stage was not started.")
    return orchestration


def _calls(stack: LocalStack) -> Counter[str]:
    with urllib.request.urlopen(stack.variables["AWS_ENDPOINT_URL"] + PATH) as answer:  # noqa: S310
        counts: dict[str, int] = json.load(answer)
    return Counter(
        {name.removeprefix("caller "): n for name, n in counts.items() if name.startswith("caller ")}
    )


if __name__ == "__main__":
    main()
