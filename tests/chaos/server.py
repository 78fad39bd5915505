"""The offline stack's server, with faults in it: what a stream, a function and a bus may do to us.

The seed is in CHAOS_SEED; how often each fault came about is in ``faults.json`` beside the server's log.
"""

import json
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from background_jobs.local_stack import server
from background_jobs.local_stack.function_processes import FunctionProcesses
from background_jobs.local_stack.process_runner import ProcessRunner
from background_jobs.local_stack.server_messages import take_over
from background_jobs.local_stack.substitutions import substitute

FAULTS = "faults.json"
_REFUSALS = 6


class Chaos:
    """Takes its decisions from one seeded source, whichever thread asks."""

    def __init__(self, seed: int, folder: Path) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._file = folder / FAULTS

    def install(self) -> None:
        """Put the faults around the emulator's functions."""
        from ministack.services import eventbridge, lambda_svc

        lambda_svc._execute_function = self._unreliable(lambda_svc._execute_function)
        eventbridge._put_events = self._refusing(eventbridge._put_events)

    def _draw(self) -> float:
        with self._lock:
            return self._random.random()

    def _note(self, fault: str) -> None:
        with self._lock:
            self._counts[fault] += 1
            self._file.write_text(json.dumps(self._counts))

    def _unreliable(self, execute: Callable[..., Any]) -> Callable[..., Any]:
        """Deliver the batches of the stream twice, in another order, by half; end the function's process."""

        def run(function: Any, event: Any, *rest: Any, **options: Any) -> Any:
            records = event.get("Records") if isinstance(event, dict) else None
            if not records or "dynamodb" not in records[0]:
                return execute(function, event, *rest, **options)
            draw = self._draw()
            if draw < 0.2:
                self._note("batches delivered twice")
                execute(function, event, *rest, **options)
            elif draw < 0.4:
                self._note("batches reordered")
                with self._lock:
                    records = self._random.sample(records, len(records))
                event = {**event, "Records": records}
            elif draw < 0.55:
                self._note("batches failed half way")
                execute(function, {**event, "Records": records[: len(records) // 2 or 1]}, *rest, **options)
                return _failed("half way")
            elif draw < 0.7:
                self._note("functions killed")
                threading.Thread(target=self._kill, args=(function,), daemon=True).start()
            return execute(function, event, *rest, **options)

        return run

    def _kill(self, function: Any) -> None:
        from ministack.core import lambda_runtime

        name = (function.get("config") or function)["FunctionName"]
        time.sleep(self._draw() * 0.04)
        for worker in (worker for workers in lambda_runtime._workers.values() for worker in workers):
            if worker.func_name == name and (process := worker._proc):
                process.kill()

    def _refusing(self, put_events: Callable[..., Any]) -> Callable[..., Any]:
        """Refuse the first events that are put on the bus."""
        left = _REFUSALS

        def put(data: Any, *rest: Any, **options: Any) -> Any:
            nonlocal left
            if left and data["Entries"][0]["Source"] == "background-jobs":
                left -= 1
                self._note("events refused")
                refused = {"ErrorCode": "ThrottlingException", "ErrorMessage": "chaos"}
                answer = {"FailedEntryCount": 1, "Entries": [refused]}
                return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()
            return put_events(data, *rest, **options)

        return put


def _failed(message: str) -> dict[str, Any]:
    return {"body": {"errorMessage": message, "errorType": "Chaos"}, "error": True, "log": ""}


def main() -> None:
    """Serve, with faults."""
    options = take_over(Path(sys.argv[1]))
    chaos = Chaos(int(os.environ["CHAOS_SEED"]), options.folder)

    def substitute_with_faults(runner: ProcessRunner, functions: FunctionProcesses | None) -> None:
        substitute(runner, functions)
        chaos.install()

    server.substitute = substitute_with_faults  # type: ignore[attr-defined] # not a public name
    server.main(options)


if __name__ == "__main__":
    main()
