"""The functions of the emulator that are replaced, because they differ from AWS in what we depend on.

They are pinned to one version; a contract test fails when a name or a signature moves (docs/adr/0004).
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from background_jobs.core.containers.variables import ORCHESTRATION_ID
from background_jobs.core.ids import orchestration_of_execution
from background_jobs.core.task_failure import LOG_FILE
from background_jobs.local_stack.function_processes import FunctionProcesses
from background_jobs.local_stack.process_runner import ProcessRunner
from background_jobs.local_stack.scheduler_ticks import TICK_SECONDS, Ticks, refuse_unreadable
from background_jobs.local_stack.stream_mappings import SideBySide
from background_jobs.settings import PREFIX

_STATES: Final = ("_execute_task", "_execute_pass", "_execute_choice", "_execute_wait", "_execute_map")
"""The functions of the emulator that run a state, of an execution or of a child of a map."""
EMULATOR_VERSION: Final = "1.5.33"
EMULATOR_NAMES: Final = {
    "core.lambda_runtime": ("subprocess", "ensure_spawned", "get_or_create_worker"),
    "services.ecs": (
        "_get_docker",
        "_run_task",
        "_describe_tasks",
        "_stop_task",
        "_tasks",
        "_build_run_kwargs",
    ),
    "services.stepfunctions": (
        "_poll_ecs_tasks",
        "_run_distributed_map",
        "_stop_execution",
        "_resolve_path",
        "_executions",
        *_STATES,
        "_error_matches",
        "_invoke_with_callback",
        "_task_tokens",
        "_ExecutionError",
        "time",
    ),
    "services.lambda_svc": (
        "_execute_function",
        "_get_func_record_for_ref",
        "_execution_record_for_config",
        "invoke_async_with_retry",
        "_poll_dynamodb_streams",
        "_iter_all_esms",
        "_get_func_record_for_qualifier",
    ),
    "services.scheduler": (
        "_tick_schedules",
        "_schedules",
        "_SCHEDULE_TICK_INTERVAL",
        "_create_schedule",
        "_update_schedule",
        "_error",
        "set_request_account_id",
        "set_request_region",
    ),
    "services.eventbridge": ("_invoke_target", "_dispatch_to_lambda"),
    "services.dynamodb": ("_tokenize", "_condition_syntax_error"),
}
"""The names of the emulator that are called or replaced here, by module."""

EXECUTION_START_PAUSE: Final = 0.15
"""Seconds for which the emulator sleeps before it begins an execution."""
_POLL_SECONDS: Final = 0.03
_RUNTIME: Final = "States.Runtime"


def substitute(runner: ProcessRunner, functions: FunctionProcesses | None) -> None:
    """Give the emulator AWS's semantics, with *runner* to run its containers.

    *functions* start its functions; None has it start them itself.
    """
    from ministack.core import lambda_runtime
    from ministack.services import (
        dynamodb,
        ecs,
        eventbridge,
        lambda_svc,
        scheduler,
        stepfunctions,
    )

    ecs._docker = runner
    ecs._build_run_kwargs = _apply_definition(ecs._build_run_kwargs)
    waiter = _TaskWaiter(ecs, stepfunctions, runner)
    stepfunctions.time = _TimeWithoutStartPause()
    stepfunctions._poll_ecs_tasks = waiter.wait_until_stopped
    stepfunctions._stop_execution = waiter.stop_tasks_after(stepfunctions._stop_execution)
    stepfunctions._invoke_with_callback = _Heartbeats(stepfunctions, waiter).watch(
        stepfunctions._invoke_with_callback
    )
    stepfunctions._run_distributed_map = _honour_concurrency_path(
        stepfunctions._run_distributed_map,
        stepfunctions._resolve_path,
    )
    scheduler._tick_schedules = Ticks(scheduler, eventbridge._invoke_target).tick
    scheduler._SCHEDULE_TICK_INTERVAL = TICK_SECONDS
    scheduler._create_schedule = refuse_unreadable(scheduler._create_schedule, scheduler._error)
    scheduler._update_schedule = refuse_unreadable(scheduler._update_schedule, scheduler._error)
    stepfunctions._error_matches = _let_no_wildcard_match_aborts(stepfunctions._error_matches)
    lambda_svc._execute_function = _honour_batch_failures(lambda_svc._execute_function)
    eventbridge._dispatch_to_lambda = _invoke_until_it_succeeds(lambda_svc)
    side_by_side = SideBySide(lambda_svc)
    lambda_svc._poll_dynamodb_streams = side_by_side.poll
    lambda_svc._iter_all_esms = side_by_side.mappings
    # A query parses its condition again for each item of the partition.
    dynamodb._tokenize = lru_cache(dynamodb._tokenize)
    dynamodb._condition_syntax_error = lru_cache(dynamodb._condition_syntax_error)
    if functions is not None:
        lambda_runtime.subprocess = functions


def count_work(note: Callable[[str], None]) -> None:
    """Have *note* called with ``invocations`` or ``transitions`` where AWS would bill one."""
    from ministack.services import lambda_svc, stepfunctions

    def counted(what: str, run: Callable[..., Any]) -> Callable[..., Any]:
        def note_and_run(*arguments: Any, **options: Any) -> Any:
            note(what)
            return run(*arguments, **options)

        return note_and_run

    lambda_svc._execute_function = counted("invocations", lambda_svc._execute_function)
    for name in _STATES:
        setattr(stepfunctions, name, counted("transitions", getattr(stepfunctions, name)))


class _TimeWithoutStartPause:
    """The module `time` for the state machines, without the pause with which each execution begins."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    @staticmethod
    def sleep(seconds: float) -> None:
        """Sleep, unless for just as long as that pause."""
        if seconds != EXECUTION_START_PAUSE:
            time.sleep(seconds)


def _apply_definition(build: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Wrap the options of a container, so that they carry the limits of its task definition."""

    def options(container: Mapping[str, Any], task: Mapping[str, Any], *rest: object) -> dict[str, Any]:
        built = build(container, task, *rest)
        # An image that is built here has this machine's architecture, whatever that of Fargate is.
        built.pop("platform", None)
        if ORCHESTRATION_ID not in built["environment"]:  # a warm worker, which has no metadata to ask here
            revision = f"{task['family']}:{task['revision']}"
            built["environment"] = {**built["environment"], f"{PREFIX}TASK_DEFINITION": revision}
        return built | {
            "mem_limit": f"{container.get('memory') or task['memory']}m",
            "read_only": bool(container.get("readonlyRootFilesystem")),
        }

    return options


class _TaskWaiter:
    """`ecs:runTask.sync` as on AWS: it waits without a limit, and any exit code but 0 is a failure."""

    def __init__(self, ecs: Any, stepfunctions: Any, runner: ProcessRunner) -> None:
        self._ecs = ecs
        self._runner = runner
        self._stepfunctions = stepfunctions
        self.aborted: set[str] = set()
        """The orchestrations whose executions were stopped."""

    def wait_until_stopped(self, cluster: str, task_arns: list[str]) -> dict[str, Any]:
        """Wait for the tasks to stop and return the last of them, or raise States.TaskFailed with it."""
        execution_error = self._stepfunctions._ExecutionError
        for arn in task_arns:
            self._wait_for_task(cluster, arn)
        _, _, body = self._ecs._describe_tasks({"cluster": cluster, "tasks": task_arns})
        tasks = json.loads(body)["tasks"]
        for task in tasks:
            if _orchestration_id(task) in self.aborted:
                # No Retry and no Catch matches this error, so that the child ends with its execution.
                raise execution_error(_RUNTIME, "The execution was aborted")
            codes = [container.get("exitCode") for container in task["containers"]]
            if any(code != 0 for code in codes):
                self._name_log(task)
                raise execution_error("States.TaskFailed", json.dumps(_pascal(task)))
        return {str(key): value for key, value in _pascal(tasks[-1]).items()}

    def _name_log(self, task: dict[str, Any]) -> None:
        """Have a failed task say where its log is; on AWS that follows from its id."""
        for container in task["containers"]:
            runtime_id = container.get("runtimeId")
            if runtime_id and (log := self._runner.containers.find_log(runtime_id)):
                container[LOG_FILE] = str(log)

    def _wait_for_task(self, cluster: str, arn: str) -> None:
        task = self._ecs._tasks[arn]
        while task["lastStatus"] != "STOPPED":
            started = task.get("_docker_ids")
            if started and self._runner.containers.get(started[-1]).ended.wait(_POLL_SECONDS):
                # Described, the task stops at once; the emulator looks at containers ten times a second.
                self._ecs._describe_tasks({"cluster": cluster, "tasks": [arn]})
            if task["lastStatus"] != "STOPPED":
                time.sleep(_POLL_SECONDS / 10)

    def stop_tasks_after(self, stop_execution: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Wrap StopExecution, so that it stops the tasks of the execution, too."""

        def stop(data: Mapping[str, Any]) -> Any:
            answer = stop_execution(data)
            name = str(data.get("executionArn")).rsplit(":", 1)[-1]
            _, orchestration_id = orchestration_of_execution(name) or ("", name)
            self.aborted.add(orchestration_id)
            for arn, task in list(self._ecs._tasks.items()):
                if _orchestration_id(task) == orchestration_id and task["lastStatus"] != "STOPPED":
                    cluster = task["clusterArn"]
                    self._ecs._stop_task({"cluster": cluster, "task": arn, "reason": "Execution aborted"})
            return answer

        return stop


class _Heartbeats:
    """`.waitForTaskToken` as on AWS: HeartbeatSeconds counts, and the end of the execution ends the wait."""

    def __init__(self, stepfunctions: Any, waiter: _TaskWaiter) -> None:
        self._stepfunctions = stepfunctions
        self._waiter = waiter

    def watch(self, invoke: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap the wait for a token."""

        def run(resource: str, message: Mapping[str, Any], token: str, state: Mapping[str, Any]) -> Any:
            ended = threading.Event()
            allowed = float(state.get("HeartbeatSeconds", "inf"))
            variables = message.get("MessageBody", {}).get("variables", {})
            watched = (token, allowed, variables.get(ORCHESTRATION_ID), ended)
            threading.Thread(target=self._watch, args=watched, daemon=True).start()
            try:
                return invoke(resource, message, token, state)
            finally:
                ended.set()

        return run

    def _watch(
        self, token: str, allowed: float, orchestration_id: str | None, ended: threading.Event
    ) -> None:
        heard, heard_at = None, time.monotonic()
        while not ended.wait(_POLL_SECONDS):
            if (task := self._stepfunctions._task_tokens.get(token)) is None:
                continue
            if task["heartbeat"] != heard:
                heard, heard_at = task["heartbeat"], time.monotonic()
            if orchestration_id in self._waiter.aborted:
                self._fail(task, _RUNTIME, "The execution was aborted")
            elif time.monotonic() - heard_at > allowed:
                self._fail(task, "States.HeartbeatTimeout", "")

    @staticmethod
    def _fail(task: dict[str, Any], error: str, cause: str) -> None:
        task["error"] = {"Error": error, "Cause": cause}
        task["event"].set()


def _orchestration_id(task: Mapping[str, Any]) -> str | None:
    overrides = task.get("overrides", {}).get("containerOverrides", [])
    variables = (variable for override in overrides for variable in override.get("environment", []))
    return next((v["value"] for v in variables if v["name"] == ORCHESTRATION_ID), None)


def _honour_concurrency_path(
    run_map: Callable[..., Any], resolve: Callable[[str, Any], Any]
) -> Callable[..., Any]:
    """Wrap the Distributed Map, so that it honours MaxConcurrencyPath."""

    def run(state: Mapping[str, Any], raw_input: object, effective: object, *rest: object) -> Any:
        if path := state.get("MaxConcurrencyPath"):
            state = {**state, "MaxConcurrency": resolve(path, effective)}
        return run_map(state, raw_input, effective, *rest)

    return run


def _let_no_wildcard_match_aborts(
    matches: Callable[[list[str], str], bool],
) -> Callable[[list[str], str], bool]:
    """Wrap the choice of a Retry or Catch, so that neither wildcard matches States.Runtime, as on AWS.

    Otherwise each share of an aborted execution would be launched again as often as its Retry allows.
    """
    return lambda error_equals, error: error != _RUNTIME and matches(error_equals, error)


def _honour_batch_failures(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the invocation of functions, so that records of a stream that are reported as failed come again.

    AWS repeats the batch from the first of them; here the whole batch comes again, as at-least-once allows.
    """

    def run(function: object, event: object, *rest: Any, **options: Any) -> Any:
        result = execute(function, event, *rest, **options)
        body = result.get("body") if isinstance(result, dict) else None
        if isinstance(body, dict) and body.get("batchItemFailures"):
            error = {"errorType": "BatchItemFailures", "errorMessage": json.dumps(body)}
            return {**result, "error": True, "body": error}
        return result

    return run


def _invoke_until_it_succeeds(lambda_svc: Any) -> Callable[[str, str], None]:
    """Return a delivery of EventBridge's events to functions that Lambda tries again twice, as on AWS.

    The emulator tries once: a function that failed once would leave a cancelled orchestration to itself.
    """

    def dispatch(arn: str, payload: str) -> None:
        function, config, _ = lambda_svc._get_func_record_for_ref(arn)
        if function and config:
            record = lambda_svc._execution_record_for_config(function, config)
            lambda_svc.invoke_async_with_retry(record, json.loads(payload))

    return dispatch


def _pascal(value: Any) -> Any:
    if isinstance(value, list):
        return [_pascal(item) for item in value]
    if isinstance(value, dict):
        return {key[:1].upper() + key[1:]: _pascal(item) for key, item in value.items()}
    return value
