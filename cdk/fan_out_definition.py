"""The state machine in the Amazon States Language; its input is what start_orchestration sends.

What no Catch can name (States.Runtime, States.DataLimitExceeded) fails a child or the execution. The first is
closed after the Map, which tolerates every child's failure, the second by end_orchestration.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from background_jobs.core.containers.capacity import ON_DEMAND, is_fargate
from background_jobs.core.containers.relaunch import THROTTLE_RETRY, Tries
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
from background_jobs.core.containers.warm import OFFER_SECONDS
from background_jobs.core.limits import DAY_SECONDS, EXECUTION_DAYS
from background_jobs.core.planning.memory import LaunchSize
from background_jobs.settings import PREFIX

LABEL: Final = "Shares"
"""The Distributed Map's name in the ARNs of its children."""

_State = dict[str, Any]

_THROTTLED: Final = [
    "ECS.AmazonECSException",
    # ECS reports throttling of EC2, which RunTask calls, under this name.
    "ECS.InvalidParameterException",
    "ECS.ServerException",
    "ECS.ThrottlingException",
]
"""The names under which a launch is throttled, most often; a quota or no capacity has others."""
_LAMBDA_ERRORS: Final = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    # Exceptions of the function, and all other errors except States.Timeout.
    "States.TaskFailed",
]
_INJECTED: Final = {
    JOB_NAME: "$.job_name",
    ORCHESTRATION_ID: "$.orchestration_id",
    JOB_ID: "$.share.job_id",
    JOB_SHARE: "$.share.share",
    JOB_INDICES: "$.share.indices",
    JOB_PARAMS_KEY: "$.params_key",
    JOB_PARAMS_BYTES: "$.share.bytes",
}
"""The variables of a container, by where their values are."""
_WARM_INPUT: Final = {
    "number.$": "$$.Map.Item.Index",
    "warm_queue.$": "$.warm_queue",
    "warm_shares.$": "$.warm_shares",
}
_BY_LAUNCH_TYPE: Final = {"LaunchType": ON_DEMAND}
_BY_PROVIDER: Final = {
    "CapacityProviderStrategy": [{"CapacityProvider.$": "$.capacity_provider", "Weight": 1}]
}
_SIZE: Final = {f"{PREFIX}{field.upper()}": f"$.delay.size.{field}" for field in LaunchSize.model_fields}
"""By variable of a container, what it is told of its size."""
_ON_FARGATE: Final = {"PlatformVersion.$": "$.platform_version"}


def fan_out_definition(  # noqa: PLR0913 -- what the definition names, and how it differs
    *,
    cluster: str,
    network: Mapping[str, Any],
    close_unfinished: str,
    note_delay: str,
    capacity_providers: Collection[str],
    grows: bool = False,
    warm: bool = False,
) -> dict[str, Any]:
    """Return the definition.

    *network* is the AwsvpcConfiguration of every task, *close_unfinished* and *note_delay* the ARNs of these
    functions, *capacity_providers* those of the environment's services. *grows* says whether some of these
    launch a container again with more memory, *warm* whether shares may be offered to warm workers.
    """
    run = _run_states(cluster, network, capacity_providers)
    if grows:
        run["RunLarger"] = _larger(run["RunContainer"])
    offered = _WARM_INPUT if warm else {}
    whole = {"orchestration_id.$": "$.orchestration_id"}
    return {
        "Comment": "One container for each share of an orchestration",
        "TimeoutSeconds": EXECUTION_DAYS * DAY_SECONDS,
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
                    "capacity_provider.$": "$.capacity_provider",
                    "platform_version.$": "$.platform_version",
                    "params_key.$": "$.params_key",
                    "share.$": "$$.Map.Item.Value",
                    **offered,
                    "left": {"instances": None},
                    "delay": {
                        "given_up": False,
                        "container_seconds.$": "$.container_seconds",
                        "tries": Tries().model_dump(mode="json"),
                        **({"size": None} if grows else {}),
                    },
                },
                "MaxConcurrencyPath": "$.parallelism",
                "ToleratedFailurePercentage": 100,
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    **_share(run, close_unfinished, note_delay, warm=warm),
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


def _run_states(
    cluster: str, network: Mapping[str, Any], capacity_providers: Collection[str]
) -> dict[str, _State]:
    """Return the states that run a container: one for Fargate, and another where a service is on EC2.

    ECS refuses a platform version for EC2, and no path can leave one out. Source: Amazon ECS API Reference,
    "RunTask". A cluster without further capacity providers needs none at all, which emulators do not have.
    """
    if set(capacity_providers) <= {ON_DEMAND}:
        return {"RunContainer": _run_container(cluster, network, {**_BY_LAUNCH_TYPE, **_ON_FARGATE})}
    states = {"RunContainer": _run_container(cluster, network, {**_BY_PROVIDER, **_ON_FARGATE})}
    if not all(map(is_fargate, capacity_providers)):
        states["RunOnEc2"] = _run_container(cluster, network, _BY_PROVIDER)
    return states


def _share(run: Mapping[str, _State], close_unfinished: str, note_delay: str, *, warm: bool) -> _State:
    """Return what one child does: run a container until its share is done, or close the share.

    Whatever fails is reported to the function `note_delay`, which says when to launch again, or to give up.
    The budget of lost containers is for launches without progress: where instances got their outcomes since
    it began, the share is not closed, and what is left gets a whole budget again.
    """
    grows = "RunLarger" in run
    share = {
        "orchestration_id.$": "$.orchestration_id",
        "indices.$": "$.share.indices",
        "left_before.$": "$.left.instances",
        "error.$": "$.error",
    }
    states = {
        "Launch": _launch(on_ec2="RunOnEc2" in run, grows=grows),
        **run,
        "NoteDelay": _note_delay(note_delay, grows=grows),
        "WaitForLaunch": {"Type": "Wait", "SecondsPath": "$.delay.wait_seconds", "Next": "Launch"},
        "CloseShare": {
            **_close(close_unfinished, share),
            "ResultSelector": {"instances.$": "$.Payload.left"},
            "ResultPath": "$.left",
            "Next": "IsAnyLeft",
        },
        "IsAnyLeft": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.left.instances", "NumericGreaterThan": 0, "Next": "RenewBudget"}],
            "Default": "Done",
        },
        "RenewBudget": _renew_budget(grows=grows),
        "Done": {"Type": "Succeed", "OutputPath": None},
    }
    # A first launch has nothing to choose where all is on Fargate, and each transition costs.
    first = "Launch" if "RunOnEc2" in run else "RunContainer"
    if not warm:
        return {"StartAt": first, "States": states}
    return {"StartAt": "IsOffered", "States": {**_offer(first), **states}}


def _offer(first_launch: str) -> dict[str, _State]:
    """Return the states that offer one of the first shares to a warm worker.

    Whatever becomes of the offer, unless the share was done by it, the share is launched as if there were no
    warm workers: nobody took it for a moment, its worker was lost, or ended before the share did.
    """
    message = {
        "token.$": "$$.Task.Token",
        "task_definition.$": "$.task_definition",
        "variables": {f"{name}.$": path for name, path in _INJECTED.items()},
    }
    is_offered = {"Variable": "$.number", "NumericLessThanPath": "$.warm_shares", "Next": "OfferToWarmWorker"}
    return {
        "IsOffered": {"Type": "Choice", "Choices": [is_offered], "Default": first_launch},
        "OfferToWarmWorker": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "HeartbeatSeconds": OFFER_SECONDS,
            "TimeoutSecondsPath": "$.delay.container_seconds",
            "Parameters": {"QueueUrl.$": "$.warm_queue", "MessageBody": message},
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": first_launch}],
            **_WITHOUT_OUTPUT,
        },
    }


def _launch(*, on_ec2: bool, grows: bool) -> _State:
    choices: list[_State] = [{"Variable": "$.delay.given_up", "BooleanEquals": True, "Next": "CloseShare"}]
    if grows:
        choices.append({"Variable": "$.delay.size.cpu", "IsPresent": True, "Next": "RunLarger"})
    if not on_ec2:
        return {"Type": "Choice", "Choices": choices, "Default": "RunContainer"}
    fargate = {
        "Variable": "$.capacity_provider",
        "StringMatches": f"{ON_DEMAND}*",
        "Next": "RunContainer",
    }
    return {"Type": "Choice", "Choices": [*choices, fargate], "Default": "RunOnEc2"}


def _renew_budget(*, grows: bool) -> _State:
    """Return the state that forgets the losses of a share, and nothing else of its launches."""
    tries = {f"{name}.$": f"$.delay.tries.{name}" for name in Tries.model_fields if name != "losses"}
    return {
        "Type": "Pass",
        "Parameters": {
            "given_up": False,
            "container_seconds.$": "$.delay.container_seconds",
            "tries": {**tries, "losses": 0},
            **({"size.$": "$.delay.size"} if grows else {}),
        },
        "ResultPath": "$.delay",
        "Next": "Launch",
    }


def _run_container(cluster: str, network: Mapping[str, Any], capacity: Mapping[str, Any]) -> _State:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::ecs:runTask.sync",
        # Less with each launch, so that no container outlives its orchestration.
        "TimeoutSecondsPath": "$.delay.container_seconds",
        "Parameters": {
            **capacity,
            "Cluster": cluster,
            "TaskDefinition.$": "$.task_definition",
            "PropagateTags": "TASK_DEFINITION",
            "NetworkConfiguration": {"AwsvpcConfiguration": dict(network)},
            "Overrides": {"ContainerOverrides": [{"Name": CONTAINER_NAME, "Environment": _injected()}]},
        },
        "Retry": [
            _retry(
                _THROTTLED,
                seconds=int(THROTTLE_RETRY.base_seconds),
                rate=THROTTLE_RETRY.factor,
                longest=int(THROTTLE_RETRY.max_seconds),
                attempts=THROTTLE_RETRY.max_attempts - 1,
            )
        ],
        "Catch": [_catch("NoteDelay")],
        **_WITHOUT_OUTPUT,
    }


def _larger(run_container: _State) -> _State:
    """Return the state that runs a container with another size than its task definition's."""
    parameters = run_container["Parameters"]
    (container,) = parameters["Overrides"]["ContainerOverrides"]
    told = [{"Name": name, "Value.$": path} for name, path in _SIZE.items()]
    overrides = {
        "Cpu.$": "$.delay.size.cpu",
        "Memory.$": "$.delay.size.memory_mib",
        "ContainerOverrides": [{**container, "Environment": [*container["Environment"], *told]}],
    }
    return {**run_container, "Parameters": {**parameters, "Overrides": overrides}}


def _note_delay(function: str, *, grows: bool) -> _State:
    report = {
        "orchestration_id.$": "$.orchestration_id",
        "share.$": "$.share.share",
        "capacity_provider.$": "$.capacity_provider",
        "error.$": "$.error",
        "tries.$": "$.delay.tries",
        **({"size.$": "$.delay.size"} if grows else {}),
    }
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function, "Payload": report},
        "Retry": _lambda_retries(),
        # The error of the launch is kept, because the share is closed with it.
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "CloseShare"}],
        "ResultSelector": {
            "given_up.$": "$.Payload.given_up",
            "wait_seconds.$": "$.Payload.wait_seconds",
            "container_seconds.$": "$.Payload.container_seconds",
            "tries.$": "$.Payload.tries",
            **({"size.$": "$.Payload.size"} if grows else {}),
        },
        "ResultPath": "$.delay",
        "Next": "WaitForLaunch",
    }


def _injected() -> list[dict[str, str]]:
    return [{"Name": name, "Value.$": path} for name, path in _INJECTED.items()]


def _close(function: str, request: Mapping[str, str]) -> _State:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function, "Payload": dict(request)},
        "Retry": _lambda_retries(),
    }


def _lambda_retries() -> list[dict[str, Any]]:
    """Return how a function is called again: for long where others use up the account's concurrency."""
    return [
        _retry(["Lambda.TooManyRequestsException"], seconds=2, rate=2.0, longest=120, attempts=100),
        _retry(_LAMBDA_ERRORS, seconds=2, rate=2.0, longest=60, attempts=10),
    ]


def _retry(errors: list[str], *, seconds: int, rate: float, longest: int, attempts: int) -> dict[str, Any]:
    return {
        "ErrorEquals": errors,
        "IntervalSeconds": seconds,
        "BackoffRate": rate,
        "MaxDelaySeconds": longest,
        "MaxAttempts": attempts,
        "JitterStrategy": "FULL",
    }


def _catch(state: str) -> dict[str, Any]:
    return {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": state}


_WITHOUT_OUTPUT: Final = {"ResultPath": None, "OutputPath": None, "End": True}
"""The output of the Map is discarded: that of 10,000 children would exceed its size."""
