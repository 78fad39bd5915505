"""The progress API of an offline stack starts with the first who asks it."""

from pathlib import Path

import httpx
import psutil

from background_jobs.local_stack import LocalStack
from background_jobs.local_stack.processes import find_processes
from tests.local_stack import traced_jobs


def find_apis(stack: LocalStack) -> list[psutil.Process]:
    processes = find_processes(stack.stack_id)
    return [process for process in processes if "background_jobs.progress_api" in process.cmdline()]


def test_the_api_starts_with_the_first_who_asks_it() -> None:
    with LocalStack(str(Path(traced_jobs.__file__))) as stack:
        # given
        assert find_apis(stack) == []

        # when
        answers = [httpx.get(f"{stack.settings.api_url}/jobs", timeout=120) for _ in range(2)]

        # then
        assert [answer.status_code for answer in answers] == [200, 200]
        assert len(find_apis(stack)) == 1
