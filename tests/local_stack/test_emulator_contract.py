"""The functions of the emulator that we replace are still there, and are still called."""

import importlib
import importlib.metadata
import inspect

import pytest

from background_jobs.local_stack.substitutions import EMULATOR_NAMES, EMULATOR_VERSION, EXECUTION_START_PAUSE


def test_the_emulator_is_the_version_that_was_measured() -> None:
    assert importlib.metadata.version("ministack") == EMULATOR_VERSION


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in EMULATOR_NAMES.items() for name in names]
)
def test_every_name_that_we_touch_is_there(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(f"ministack.{module}"), name)


@pytest.mark.parametrize(
    ("module", "function", "parameters"),
    [
        ("services.stepfunctions", "_poll_ecs_tasks", ["cluster", "task_arns"]),
        (
            "services.stepfunctions",
            "_run_distributed_map",
            ["state_def", "raw_input", "effective", "iterator", "execution", "ctx"],
        ),
        ("services.stepfunctions", "_stop_execution", ["data"]),
        ("services.stepfunctions", "_resolve_path", ["path", "data"]),
        ("services.lambda_svc", "_execute_function", ["func", "event"]),
        ("services.ecs", "_describe_tasks", ["data"]),
        ("services.ecs", "_stop_task", ["data"]),
        ("services.scheduler", "_tick_schedules", []),
        ("services.scheduler", "_create_schedule", ["name", "body"]),
        ("services.scheduler", "_update_schedule", ["name", "body"]),
        ("services.scheduler", "_error", ["status", "code", "message"]),
        ("services.eventbridge", "_invoke_target", ["target", "event", "rule"]),
        ("services.eventbridge", "_dispatch_to_lambda", ["arn", "payload"]),
        ("services.lambda_svc", "_get_func_record_for_ref", ["function_ref"]),
        ("services.lambda_svc", "_execution_record_for_config", ["func", "config"]),
        ("services.lambda_svc", "invoke_async_with_retry", ["func", "event"]),
        ("services.ecs", "_build_run_kwargs", ["cdef", "td", "env"]),
        ("services.lambda_svc", "_poll_dynamodb_streams", []),
        ("services.lambda_svc", "_iter_all_esms", []),
        ("services.lambda_svc", "_get_func_record_for_qualifier", ["name", "qualifier"]),
        ("services.dynamodb", "_tokenize", ["expr"]),
        ("services.dynamodb", "_condition_syntax_error", ["expr", "slot"]),
    ],
)
def test_what_we_replace_or_call_takes_the_same_arguments(
    module: str, function: str, parameters: list[str]
) -> None:
    signature = inspect.signature(getattr(importlib.import_module(f"ministack.{module}"), function))
    assert list(signature.parameters)[: len(parameters)] == parameters


@pytest.mark.parametrize(
    ("module", "caller", "called"),
    [
        (
            "core.lambda_runtime",
            "Worker",
            "subprocess.Popen(\n            [binary, worker_path],\n            cwd=code_dir,",
        ),
        ("core.lambda_runtime", "Worker", 'spawn_env["_LAMBDA_LAYERS_DIRS"] = os.pathsep.join(layers_dirs)'),
        ("services.stepfunctions", "_invoke_ecs_run_task", "_poll_ecs_tasks("),
        ("services.stepfunctions", "_run_map_items", "_run_distributed_map("),
        ("services.stepfunctions", "_run_distributed_map", '"MaxConcurrency"'),
        ("services.lambda_svc", "_poll_dynamodb_streams", "_execute_function("),
        ("services.lambda_svc", "_poll_dynamodb_streams", "in _iter_all_esms()"),
        ("services.lambda_svc", "_poll_loop", "_poll_dynamodb_streams()"),
        ("services.lambda_svc", "_execute_function_warm", "acquire_worker(func_name, config, code_zip"),
        ("services.stepfunctions", "_run_execution", f"time.sleep({EXECUTION_START_PAUSE})"),
        ("services.ecs", "_describe_tasks", "_maybe_mark_stopped("),
        ("services.ecs", "_run_docker_container", "containers.run("),
        ("services.ecs", "_start_task_worker", "_build_run_kwargs("),
        ("services.ecs", "_maybe_mark_stopped", "containers.get("),
        ("services.eventbridge", "_invoke_target", "_dispatch_to_lambda(arn, event_payload)"),
        ("services.scheduler", "handle_request", "_create_schedule(name, body)"),
        ("services.scheduler", "handle_request", "_update_schedule(name, body)"),
        ("services.scheduler", "_ticker_loop", "_tick_schedules()"),
        ("services.scheduler", "_ticker_loop", "time.sleep(_SCHEDULE_TICK_INTERVAL)"),
        ("services.scheduler", "_create_schedule", '"ScheduleExpressionTimezone"'),
    ],
)
def test_the_emulator_still_goes_through_what_we_replace(module: str, caller: str, called: str) -> None:
    assert called in inspect.getsource(getattr(importlib.import_module(f"ministack.{module}"), caller))
