"""Functions are forked from a process that has loaded what they import; without it they are started."""

import psutil

from background_jobs import OrchestrationService
from background_jobs.local_stack import LocalStack
from background_jobs.local_stack.processes import find_processes
from tests.offline import is_running, until


def with_words(stack: LocalStack, words: str) -> list[psutil.Process]:
    return [process for process in find_processes(stack.stack_id) if words in " ".join(process.cmdline())]


def test_a_stack_works_on_when_its_functions_and_what_forks_them_are_killed(
    stack: LocalStack, service: OrchestrationService
) -> None:
    # given
    # the one that forks; what it forks has its name at first
    forking = min(with_words(stack, "background-jobs functions"), key=psutil.Process.create_time)
    killed = [forking, *until(lambda: with_words(stack, "AggregateJobs"))]
    for process in killed:
        process.kill()
    until(lambda: not any(is_running(process.pid) for process in killed))

    # when
    orchestration = service.kick_off_job("fussy", [{}])

    # then
    (success,), failures = service.get_job_results(orchestration.id, timeout=120)
    assert (success.result, failures) == ("good", None)
