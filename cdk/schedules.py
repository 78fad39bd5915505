"""The group of schedules, the role in which they invoke, and the schedules of the configuration."""

from typing import Final

from aws_cdk import Aws, CfnResource, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from background_jobs.cdk.acknowledgements import acknowledge_wildcard
from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.rule_targets import function_target
from background_jobs.cdk.shared import SharedResources
from background_jobs.core.bus import EVENT_SOURCE, JOB_COMPLETED_DETAIL_TYPE
from background_jobs.core.invocations import ScheduleRunCompleted
from background_jobs.core.schedules.definition import Target, schedule_group, scheduler_properties
from background_jobs.core.tags import SCHEDULE_TAG
from background_jobs.settings import Settings

_SERVICE: Final = "scheduler.amazonaws.com"


class Schedules(Construct):
    """The group that holds the schedules of the stack, and those that the SDK makes."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        shared: SharedResources,
        kick_off_job: lambda_.IFunction,
        failures: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        config = shared.config
        self._settings = shared.settings
        self._group = scheduler.CfnScheduleGroup(self, "Group", name=schedule_group(config.environment))
        self._role = iam.Role(
            self,
            "Role",
            assumed_by=_scheduler_of_group(Stack.of(self), schedule_group(config.environment)),
        )
        self._role.add_to_policy(
            iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[kick_off_job.function_arn])
        )
        self._role.add_to_policy(
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[failures.queue_arn])
        )
        self._target = Target(kick_off_job.function_arn, self._role.role_arn, failures.queue_arn)
        self._start_what_waits(kick_off_job, shared.bus, failures)
        self._declare(config)

    def with_schedules(self, settings: Settings) -> Settings:
        """Return *settings* with the ARNs that are needed to make schedules."""
        target = self._target
        return settings.model_copy(
            update={
                "schedule_function": target.function,
                "schedule_role": target.role,
                "schedule_failures": target.failures,
            }
        )

    def grant_make(self, to: iam.IGrantable) -> None:
        """Let *to* make schedules of this environment, beside what `grant_manage` allows."""
        self._allow(to, "CreateSchedule")

    def add_variables(self, function: lambda_.Function) -> None:
        """Set the variables of *function* that it needs to make schedules."""
        variables = self.with_schedules(self._settings).to_env()
        for name in variables.keys() - self._settings.to_env().keys():
            function.add_environment(name, variables[name])

    def grant_manage(self, to: iam.IGrantable) -> None:
        """Let *to* list, pause, resume and delete the schedules of this environment."""
        self._allow(to, "DeleteSchedule", "GetSchedule", "UpdateSchedule")
        for statement in (
            # Listing can be allowed for the whole account only.
            iam.PolicyStatement(actions=["scheduler:ListSchedules"], resources=["*"]),
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[self._role.role_arn],
                conditions={"StringEquals": {"iam:PassedToService": _SERVICE}},
            ),
        ):
            to.grant_principal.add_to_principal_policy(statement)

    def _allow(self, to: iam.IGrantable, *actions: str) -> None:
        stack = Stack.of(self)
        schedules = stack.format_arn(
            service="scheduler", resource="schedule", resource_name=f"{self._group.name}/*"
        )
        acknowledge_wildcard(stack, schedules, "The names of schedules are made by callers.")
        names = [f"scheduler:{action}" for action in actions]
        to.grant_principal.add_to_principal_policy(iam.PolicyStatement(actions=names, resources=[schedules]))

    def _start_what_waits(
        self, kick_off_job: lambda_.IFunction, bus: events.IEventBus, failures: sqs.IQueue
    ) -> None:
        """Tell the function when a run of a schedule completed: another may wait for it."""
        invocation = ScheduleRunCompleted(
            schedule=events.EventField.from_path(f"$.detail.tags.{SCHEDULE_TAG}")
        )
        events.Rule(
            self,
            "RunCompleted",
            event_bus=bus,
            event_pattern=events.EventPattern(
                source=[EVENT_SOURCE],
                detail_type=[JOB_COMPLETED_DETAIL_TYPE],
                detail={"tags": {SCHEDULE_TAG: events.Match.exists()}},
            ),
            targets=[
                function_target(
                    kick_off_job,
                    failures,
                    event=events.RuleTargetInput.from_object(invocation.to_input()),
                )
            ],
        )

    def _declare(self, config: EnvironmentConfig) -> None:
        for declared in config.schedules:
            definition = declared.definition(config.services[0].name)
            schedule = CfnResource(
                self,
                f"Schedule-{declared.name}",
                type="AWS::Scheduler::Schedule",
                properties=scheduler_properties(definition, schedule_group(config.environment), self._target),
            )
            schedule.add_dependency(self._group)


def _scheduler_of_group(stack: Stack, group: str) -> iam.ServicePrincipal:
    """Return Scheduler, as far as it acts for schedules of *group*; a single schedule cannot be named.

    Source: EventBridge Scheduler User Guide, "Confused deputy prevention".
    """
    arn = stack.format_arn(service="scheduler", resource="schedule-group", resource_name=group)
    return iam.ServicePrincipal(
        _SERVICE,
        conditions={
            "ArnEquals": {"aws:SourceArn": arn},
            "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
        },
    )
