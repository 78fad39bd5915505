"""What operators may ask about an environment: what `background-jobs doctor` asks, and no more."""

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn

from background_jobs.cdk.acknowledgements import acknowledge_wildcard
from background_jobs.cdk.shared import SharedResources
from background_jobs.core.schedules.definition import schedule_group

_OF_THE_ACCOUNT = (
    "cloudwatch:DescribeAlarms",
    "ecs:DescribeTaskDefinition",
    "lambda:GetAccountSettings",
    "logs:DescribeLogGroups",
    "servicequotas:GetAWSDefaultServiceQuota",
    "servicequotas:GetServiceQuota",
)
"""What cannot be allowed by resource, or only for all. Source: AWS Service Authorization Reference."""


def grant_examine(
    to: iam.ManagedPolicy,
    *,
    shared: SharedResources,
    state_machine: sfn.IStateMachine,
) -> None:
    """Let *to* ask how the parts of an environment are; nothing of it reads what jobs are given or return."""
    stack = Stack.of(to)
    config, prefix = shared.config, shared.name_prefix
    group = schedule_group(config.environment)
    own_stack, functions, topics, images = (
        stack.format_arn(service="cloudformation", resource="stack", resource_name=f"{stack.stack_name}/*"),
        stack.format_arn(
            service="lambda",
            resource="function",
            resource_name=f"{prefix}*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        ),
        stack.format_arn(service="sns", resource=f"{prefix}*"),
        stack.format_arn(service="ecr", resource="repository", resource_name="*"),
    )
    own_topic = [config.notify] if config.notify and config.notify.startswith("arn:") else [topics]
    for actions, resources in (
        (["cloudformation:DescribeStacks", "cloudformation:ListStackResources"], [own_stack]),
        (["events:DescribeEventBus"], [shared.bus.event_bus_arn]),
        (["states:DescribeStateMachine"], [state_machine.state_machine_arn]),
        (["lambda:GetFunctionConfiguration"], [functions]),
        (["sns:ListSubscriptionsByTopic"], own_topic),
        (["ecr:BatchGetImage"], [images]),
        (
            ["scheduler:GetScheduleGroup"],
            [stack.format_arn(service="scheduler", resource="schedule-group", resource_name=group)],
        ),
        (list(_OF_THE_ACCOUNT), ["*"]),
    ):
        to.add_statements(iam.PolicyStatement(actions=actions, resources=resources))
    if config.warm_workers:
        warm = stack.format_arn(service="ecs", resource="service", resource_name=f"{prefix}*")
        to.add_statements(iam.PolicyStatement(actions=["ecs:DescribeServices"], resources=[warm]))
        acknowledge_wildcard(to, warm, "The name of the cluster begins with that of the stack.")
    for wildcard, reason in (
        (own_stack, "The id of the stack, which calls by name leave out."),
        (functions, "The names are made by CloudFormation, and begin with that of the stack."),
        (topics, "The same."),
        (images, "Manifests of images are read; services may have theirs in any repository."),
        ("*", "These questions cannot be asked of a single resource."),
    ):
        acknowledge_wildcard(to, wildcard, reason)
