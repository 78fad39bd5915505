"""The state machine: a Distributed Map over the shares, a container for each."""

import json
from typing import NamedTuple

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from background_jobs.cdk.acknowledgements import acknowledge, acknowledge_wildcard
from background_jobs.cdk.fan_out_definition import LABEL, fan_out_definition
from background_jobs.cdk.job_services import JobServices
from background_jobs.cdk.rule_targets import function_target
from background_jobs.cdk.shared import SharedResources
from background_jobs.core.bus import CANCELLED_DETAIL_TYPE, EVENT_SOURCE


class ShareFunctions(NamedTuple):
    """The functions that the state machine calls."""

    close_unfinished: lambda_.IFunction
    note_delay: lambda_.IFunction


class FanOut(Construct):
    """Launches a container for each share, and closes instances that containers leave without an outcome."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        shared: SharedResources,
        services: JobServices,
        functions: ShareFunctions,
    ) -> None:
        super().__init__(scope, construct_id)
        self.log = shared.logs.vended_group(self, "Log", "states")
        definition = fan_out_definition(
            cluster=services.cluster_arn,
            network=services.network.awsvpc,
            close_unfinished=functions.close_unfinished.function_arn,
            note_delay=functions.note_delay.function_arn,
            capacity_providers=services.capacity_providers.values(),
            grows=bool(shared.config.memory_limits),
            warm=bool(services.warm_workers),
        )
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            # Not Stack.to_json_string, which loses every null on its way through jsii, and with them each
            # `"ResultPath": null`.
            definition_body=sfn.DefinitionBody.from_string(json.dumps(definition)),
            # An error's cause is an ECS task or the answer of a service: ids, and nothing of the params.
            logs=sfn.LogOptions(destination=self.log, level=sfn.LogLevel.ERROR, include_execution_data=True),
            tracing_enabled=True,
        )
        shared.storage.payloads.grant_read(self.state_machine)
        services.grant_run(self.state_machine)
        services.grant_offer(self.state_machine)
        self.state_machine.add_to_role_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"],
                resources=[function.function_arn for function in functions],
            )
        )
        self._grant_map_runs()
        acknowledge(
            self.state_machine,
            "SF1",
            "Errors are logged; all events of 10,000 children would cost more than they tell, and the event "
            "log has them.",
        )
        acknowledge_wildcard(
            self.state_machine, "*", "Delivering logs and traces cannot be allowed by resource."
        )

    def _grant_map_runs(self) -> None:
        """Let the Distributed Map start and stop its own children.

        In a policy of its own, since the state machine depends on its role's.
        """
        machine = self.state_machine
        stack = Stack.of(self)
        children = stack.format_arn(
            service="states",
            resource="execution",
            resource_name=f"{machine.state_machine_name}/{LABEL}:*",
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
        acknowledge_wildcard(policy, children, "The names of children are made by Step Functions.")

    def end_by(self, function: lambda_.IFunction, bus: events.IEventBus, failures: sqs.IQueue) -> None:
        """Invoke *function* for cancelled orchestrations, and for executions that did not succeed."""
        target = function_target(function, failures)
        ended = {
            "stateMachineArn": [self.state_machine.state_machine_arn],
            "status": ["FAILED", "TIMED_OUT", "ABORTED"],
        }
        pattern = events.EventPattern(
            source=["aws.states"], detail_type=["Step Functions Execution Status Change"], detail=ended
        )
        events.Rule(self, "Ended", event_pattern=pattern, targets=[target])
        cancelled = events.EventPattern(source=[EVENT_SOURCE], detail_type=[CANCELLED_DETAIL_TYPE])
        events.Rule(self, "Cancelled", event_bus=bus, event_pattern=cancelled, targets=[target])

    def grant_stop(self, to: iam.IGrantable) -> None:
        """Let *to* stop executions."""
        executions = Stack.of(self).format_arn(
            service="states",
            resource="execution",
            resource_name=f"{self.state_machine.state_machine_name}:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        statement = iam.PolicyStatement(actions=["states:StopExecution"], resources=[executions])
        to.grant_principal.add_to_principal_policy(statement)
        acknowledge_wildcard(Stack.of(self), executions, "Executions are named after orchestrations.")

    def grant_start(self, to: iam.IGrantable) -> None:
        """Let *to* start executions."""
        self.state_machine.grant_start_execution(to)
