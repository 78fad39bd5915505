"""The state machine in the Amazon States Language; its input is what start_orchestration sends.

What no Catch can name (States.Runtime, States.DataLimitExceeded) fails a child or the execution. The first is
closed after the Map, which tolerates every child's failure, the second by end_orchestration.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from background_jobs.core.containers.variables import (
    CONTAINER_NAME,
    JOB_ID,
    JOB_INDICES,
    JOB_NAME,
    JOB_PARAMS_BYTES,
    JOB_PARAMS_KEY,
    JOB_SHARE,
    ORCHESTRATION_ID,
)

LABEL: Final = "Shares"
"""The Distributed Map's name in the ARNs of its children."""

_State = dict[str, Any]
_DAY: Final = 86_400
_EXECUTION_SECONDS: Final = 14 * _DAY
"""Longer than any job takes; it ends those that hang."""

_LAUNCH_ERRORS: Final = [
    "ECS.AmazonECSException",
    # ECS reports an exhausted quota of tasks or vCPUs under this name.
    "ECS.ClientException",
    # ECS reports throttling of EC2, which RunTask calls, under this name.
    "ECS.InvalidParameterException",
    "ECS.ServerException",
    "ECS.ThrottlingException",
    # RunTask answered without a task; mostly because there was no capacity.
    "AmazonECS.Unknown",
]
_LAMBDA_ERRORS: Final = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    # Exceptions of the function, and all other errors except States.Timeout.
    "States.TaskFailed",
]
_QUICK_LAUNCHES: Final = 3
"""How often a refused launch is tried again before the delay is noted."""
_RELAUNCHES: Final = 4
_SPOT_RELAUNCHES: Final = 12
"""More often on Spot, because AWS takes containers back that did nothing wrong."""

_ON_DEMAND: Final = {"LaunchType": "FARGATE"}
_ON_SPOT: Final = {"CapacityProviderStrategy": [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]}


def fan_out_definition(
    *, cluster: str, network: Mapping[str, Any], close_unfinished: str, note_delay: str, spot: bool
) -> dict[str, Any]:
    """Return the definition.

    *network* is the AwsvpcConfiguration of every task, *close_unfinished* and *note_delay* the ARNs of these
    functions, *spot* whether a service of the environment runs on Fargate Spot.
    """
    whole = {"orchestration_id.$": "$.orchestration_id"}
    return {
        "Comment": "One container for each share of an orchestration",
        "TimeoutSeconds": _EXECUTION_SECONDS,
        "StartAt": "FanOut",
        "States": {
            "FanOut": {
                "Type": "Map",
                "Label": LABEL,
                "ItemReader": {
                    "Resource": "arn:aws:states:::s3:getObject",
                    "ReaderConfig": {"InputType": "JSONL"},
                    "Parameters": {"Bucket.$": "$.bucket", "Key.$": "$.shares_key"},
                },
                "ItemSelector": {
                    "orchestration_id.$": "$.orchestration_id",
                    "job_name.$": "$.job_name",
                    "task_definition.$": "$.task_definition",
                    "spot.$": "$.spot",
                    "params_key.$": "$.params_key",
                    "container_seconds.$": "$.container_seconds",
                    "share.$": "$$.Map.Item.Value",
                    "left": {"instances": None},
                },
                "MaxConcurrencyPath": "$.parallelism",
                "ToleratedFailurePercentage": 100,
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    **_share(cluster, network, close_unfinished, note_delay, spot=spot),
                },
                "ResultPath": None,
                "Catch": [_catch("CloseAfterError")],
                "Next": "Settle",
            },
            # Mostly the aggregator is done by then, and there is nothing to close.
            "Settle": {"Type": "Wait", "Seconds": 5, "Next": "CloseUnfinished"},
            "CloseUnfinished": {**_close(close_unfinished, whole), **_WITHOUT_OUTPUT},
            "CloseAfterError": {
                **_close(close_unfinished, whole | {"error.$": "$.error"}),
                **_WITHOUT_OUTPUT,
            },
        },
    }


def _share(
    cluster: str, network: Mapping[str, Any], close_unfinished: str, note_delay: str, *, spot: bool
) -> _State:
    """Return what one child does: run a container until its share is done, or close the share.

    A launch that is refused a few times in a row is noted in the log and tried again after a while, until the
    function gives it up. The budget of lost containers is for launches without progress: where instances got
    their outcomes since it began, the share is not closed, and what is left gets a whole budget again.
    """
    start = "WhichCapacity" if spot else "RunContainer"
    share = {
        "orchestration_id.$": "$.orchestration_id",
        "indices.$": "$.share.indices",
        "left_before.$": "$.left.instances",
        "error.$": "$.error",
    }
    states = {
        "RunContainer": _run_container(cluster, network, _ON_DEMAND, _RELAUNCHES),
        "NoteDelay": _note_delay(note_delay),
        "WaitForLaunch": {"Type": "Wait", "SecondsPath": "$.delay.wait_seconds", "Next": start},
        "CloseShare": {
            **_close(close_unfinished, share),
            "ResultSelector": {"instances.$": "$.Payload.left"},
            "ResultPath": "$.left",
            "Next": "IsAnyLeft",
        },
        "IsAnyLeft": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.left.instances", "NumericGreaterThan": 0, "Next": start}],
            "Default": "Done",
        },
        "Done": {"Type": "Succeed", "OutputPath": None},
    }
    if not spot:
        return {"StartAt": start, "States": states}
    # LaunchType and CapacityProviderStrategy exclude each other, and no path can stand for either.
    choice = {
        "Type": "Choice",
        "Choices": [{"Variable": "$.spot", "BooleanEquals": True, "Next": "RunOnSpot"}],
        "Default": "RunContainer",
    }
    states["RunOnSpot"] = _run_container(cluster, network, _ON_SPOT, _SPOT_RELAUNCHES)
    return {"StartAt": start, "States": {"WhichCapacity": choice, **states}}


def _run_container(
    cluster: str, network: Mapping[str, Any], capacity: Mapping[str, Any], relaunches: int
) -> _State:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::ecs:runTask.sync",
        "TimeoutSecondsPath": "$.container_seconds",
        "Parameters": {
            **capacity,
            "Cluster": cluster,
            "TaskDefinition.$": "$.task_definition",
            "PropagateTags": "TASK_DEFINITION",
            "NetworkConfiguration": {"AwsvpcConfiguration": dict(network)},
            "Overrides": {"ContainerOverrides": [{"Name": CONTAINER_NAME, "Environment": _injected()}]},
        },
        "Retry": [
            _retry(_LAUNCH_ERRORS, seconds=2, rate=2.0, longest=20, attempts=_QUICK_LAUNCHES),
            # A wildcard matches all other errors of a task, which are lost containers; so it comes last.
            _retry(["States.TaskFailed"], seconds=1, rate=2.0, longest=20, attempts=relaunches),
        ],
        "Catch": [_catch("NoteDelay", _LAUNCH_ERRORS), _catch("CloseShare")],
        **_WITHOUT_OUTPUT,
    }


def _note_delay(function: str) -> _State:
    report = {
        "orchestration_id.$": "$.orchestration_id",
        "share.$": "$.share.share",
        "error.$": "$.error",
    }
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function, "Payload": report},
        "Retry": [
            {"ErrorEquals": ["LaunchGivenUp"], "MaxAttempts": 0},
            _retry(_LAMBDA_ERRORS, seconds=2, rate=2.0, longest=60, attempts=10),
        ],
        # The error of the launch is kept, because the share is closed with it.
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "CloseShare"}],
        "ResultSelector": {"wait_seconds.$": "$.Payload.wait_seconds"},
        "ResultPath": "$.delay",
        "Next": "WaitForLaunch",
    }


def _injected() -> list[dict[str, str]]:
    paths = {
        JOB_NAME: "$.job_name",
        ORCHESTRATION_ID: "$.orchestration_id",
        JOB_ID: "$.share.job_id",
        JOB_SHARE: "$.share.share",
        JOB_INDICES: "$.share.indices",
        JOB_PARAMS_KEY: "$.params_key",
        JOB_PARAMS_BYTES: "$.share.bytes",
    }
    return [{"Name": name, "Value.$": path} for name, path in paths.items()]


def _close(function: str, request: Mapping[str, str]) -> _State:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function, "Payload": dict(request)},
        "Retry": [_retry(_LAMBDA_ERRORS, seconds=2, rate=2.0, longest=60, attempts=10)],
    }


def _retry(errors: list[str], *, seconds: int, rate: float, longest: int, attempts: int) -> dict[str, Any]:
    return {
        "ErrorEquals": errors,
        "IntervalSeconds": seconds,
        "BackoffRate": rate,
        "MaxDelaySeconds": longest,
        "MaxAttempts": attempts,
        "JitterStrategy": "FULL",
    }


def _catch(state: str, errors: Sequence[str] = ("States.ALL",)) -> dict[str, Any]:
    return {"ErrorEquals": list(errors), "ResultPath": "$.error", "Next": state}


_WITHOUT_OUTPUT: Final = {"ResultPath": None, "OutputPath": None, "End": True}
"""The output of the Map is discarded: that of 10,000 children would exceed its size."""
