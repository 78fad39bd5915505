"""The state machine: a Distributed Map over the shares, a container for each."""

from typing import Any, Final

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from background_jobs.core import naming
from cdk.job_services import JobServices
from cdk.payloads import PayloadBucket

_LABEL: Final = "Shares"
_DAY: Final = 86_400
_EXECUTION_SECONDS: Final = 14 * _DAY
"""Far beyond any job, and an end for those that hang."""
_END_ATTEMPTS: Final = 20
_LAUNCH_ERRORS: Final = [
    "ECS.AmazonECSException",
    "ECS.ClientException",
    # Throttling of RunTask has arrived under this name, too.
    "ECS.InvalidParameterException",
    "ECS.ServerException",
    "ECS.ThrottlingException",
    "AmazonECS.Unknown",
]
_LAMBDA_ERRORS: Final = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "States.TaskFailed",
]


class FanOut(Construct):
    """Launches a container for each share and closes what they leave without an outcome."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        services: JobServices,
        payloads: PayloadBucket,
        close_unfinished: lambda_.IFunction,
    ) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        definition = fan_out_definition(
            cluster=services.cluster.cluster_arn,
            subnets=services.subnet_ids,
            security_group=services.security_group.security_group_id,
            close_unfinished=close_unfinished.function_arn,
        )
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            definition_body=sfn.DefinitionBody.from_string(stack.to_json_string(definition)),
            logs=sfn.LogOptions(
                destination=logs.LogGroup(self, "Log", retention=logs.RetentionDays.ONE_MONTH),
                level=sfn.LogLevel.ERROR,
            ),
        )
        payloads.grant_read(self.state_machine)
        close_unfinished.grant_invoke(self.state_machine)
        services.grant_run(self.state_machine)
        self._grant_map_runs()

    def _grant_map_runs(self) -> None:
        """Let the Distributed Map start and stop its own children.

        In a policy of its own, since the state machine depends on its role's.
        """
        machine = self.state_machine
        children = Stack.of(self).format_arn(
            service="states",
            resource="execution",
            resource_name=f"{machine.state_machine_name}/{_LABEL}:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        policy = iam.Policy(self, "MapRuns")
        policy.add_statements(
            iam.PolicyStatement(actions=["states:StartExecution"], resources=[machine.state_machine_arn]),
            iam.PolicyStatement(
                actions=["states:DescribeExecution", "states:StopExecution"], resources=[children]
            ),
        )
        policy.attach_to_role(machine.role)

    def end_by(self, function: lambda_.IFunction, bus: events.IEventBus) -> None:
        """Have *function* end what was cancelled, and what an execution left that did not succeed."""
        target = targets.LambdaFunction(function, retry_attempts=_END_ATTEMPTS)
        ended = {
            "stateMachineArn": [self.state_machine.state_machine_arn],
            "status": ["FAILED", "TIMED_OUT", "ABORTED"],
        }
        pattern = events.EventPattern(
            source=["aws.states"], detail_type=["Step Functions Execution Status Change"], detail=ended
        )
        events.Rule(self, "Ended", event_pattern=pattern, targets=[target])
        cancelled = events.EventPattern(
            source=[naming.EVENT_SOURCE], detail_type=[naming.CANCELLED_DETAIL_TYPE]
        )
        events.Rule(self, "Cancelled", event_bus=bus, event_pattern=cancelled, targets=[target])

    def grant_stop(self, to: iam.IGrantable) -> None:
        """Let *to* stop executions."""
        self.state_machine.grant_execution(to, "states:StopExecution")

    def grant_start(self, to: iam.IGrantable) -> None:
        """Let *to* start executions."""
        self.state_machine.grant_start_execution(to)


def fan_out_definition(
    *, cluster: str, subnets: list[str], security_group: str, close_unfinished: str
) -> dict[str, Any]:
    """Return the state machine in the Amazon States Language; the input is that of start_orchestration."""
    return {
        "Comment": "One container for each share of an orchestration",
        "TimeoutSeconds": _EXECUTION_SECONDS,
        "StartAt": "FanOut",
        "States": {
            "FanOut": {
                "Type": "Map",
                "Label": _LABEL,
                "ItemReader": {
                    "Resource": "arn:aws:states:::s3:getObject",
                    "ReaderConfig": {"InputType": "JSONL"},
                    "Parameters": {"Bucket.$": "$.bucket", "Key.$": "$.shares_key"},
                },
                "ItemSelector": {
                    "orchestration_id.$": "$.orchestration_id",
                    "job_name.$": "$.job_name",
                    "task_definition.$": "$.task_definition",
                    "params_key.$": "$.params_key",
                    "container_seconds.$": "$.container_seconds",
                    "share.$": "$$.Map.Item.Value",
                },
                "MaxConcurrencyPath": "$.parallelism",
                "ToleratedFailurePercentage": 100,
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    **_share(cluster, subnets, security_group, close_unfinished),
                },
                "ResultPath": None,
                "Catch": [
                    {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "CloseAfterError"}
                ],
                "Next": "Settle",
            },
            # The aggregator is most often done by then, and closing finds nothing to do.
            "Settle": {"Type": "Wait", "Seconds": 5, "Next": "CloseUnfinished"},
            "CloseUnfinished": _close(close_unfinished, {"orchestration_id.$": "$.orchestration_id"}),
            "CloseAfterError": _close(
                close_unfinished, {"orchestration_id.$": "$.orchestration_id", "error.$": "$.error"}
            ),
        },
    }


def _share(cluster: str, subnets: list[str], security_group: str, close_unfinished: str) -> dict[str, Any]:
    injected = {
        naming.JOB_NAME: "$.job_name",
        naming.ORCHESTRATION_ID: "$.orchestration_id",
        naming.JOB_ID: "$.share.job_id",
        naming.JOB_SHARE: "$.share.share",
        naming.JOB_INDICES: "$.share.indices",
        naming.JOB_PARAMS_KEY: "$.params_key",
        naming.JOB_PARAMS_BYTES: "$.share.bytes",
    }
    return {
        "StartAt": "RunContainer",
        "States": {
            "RunContainer": {
                "Type": "Task",
                "Resource": "arn:aws:states:::ecs:runTask.sync",
                "TimeoutSecondsPath": "$.container_seconds",
                "Parameters": {
                    "LaunchType": "FARGATE",
                    "Cluster": cluster,
                    "TaskDefinition.$": "$.task_definition",
                    "NetworkConfiguration": {
                        "AwsvpcConfiguration": {
                            "Subnets": subnets,
                            "SecurityGroups": [security_group],
                            "AssignPublicIp": "ENABLED",
                        }
                    },
                    "Overrides": {
                        "ContainerOverrides": [
                            {
                                "Name": naming.CONTAINER_NAME,
                                "Environment": [
                                    {"Name": name, "Value.$": path} for name, path in injected.items()
                                ],
                            }
                        ]
                    },
                },
                "Retry": [
                    {
                        "ErrorEquals": _LAUNCH_ERRORS,
                        "IntervalSeconds": 5,
                        "BackoffRate": 1.5,
                        "MaxDelaySeconds": 120,
                        "MaxAttempts": 60,
                        "JitterStrategy": "FULL",
                    },
                    # A wildcard for every other error of a task, so it comes last: lost containers.
                    {
                        "ErrorEquals": ["States.TaskFailed"],
                        "IntervalSeconds": 1,
                        "BackoffRate": 2,
                        "MaxDelaySeconds": 20,
                        "MaxAttempts": 4,
                        "JitterStrategy": "FULL",
                    },
                ],
                "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "CloseShare"}],
                # 10,000 children must not fill the Map's output.
                "ResultPath": None,
                "OutputPath": None,
                "End": True,
            },
            "CloseShare": _close(
                close_unfinished,
                {
                    "orchestration_id.$": "$.orchestration_id",
                    "indices.$": "$.share.indices",
                    "error.$": "$.error",
                },
            ),
        },
    }


def _close(function: str, request: dict[str, str]) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function, "Payload": request},
        "Retry": [
            {
                "ErrorEquals": _LAMBDA_ERRORS,
                "IntervalSeconds": 2,
                "BackoffRate": 2,
                "MaxDelaySeconds": 60,
                "MaxAttempts": 10,
                "JitterStrategy": "FULL",
            }
        ],
        "ResultPath": None,
        "OutputPath": None,
        "End": True,
    }
