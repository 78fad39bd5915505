"""What is asked about alarms, the failure queue, functions and schedules."""

from collections.abc import Iterator, Sequence
from functools import partial

from background_jobs.aws import clients
from background_jobs.aws.alarms import Alarms
from background_jobs.aws.failure_messages import FailureMessages
from background_jobs.aws.functions import Functions
from background_jobs.aws.questions import Refusal, ask
from background_jobs.aws.scheduler import Scheduler
from background_jobs.aws.topics import Topics
from background_jobs.control_plane.doctor.check import Check
from background_jobs.control_plane.doctor.environment import Environment
from background_jobs.core.doctor.findings import Area, Finding, not_here, ok, problem, unknown
from background_jobs.core.doctor.functions import judge_functions, judge_mapping
from background_jobs.core.doctor.monitoring import (
    AlarmFacts,
    judge_alarms,
    judge_failures,
    judge_subscriptions,
)
from background_jobs.core.schedules.definition import schedule_group


def of_alarms(environment: Environment) -> Iterator[Check | Finding]:
    """Yield what is found and asked about the alarms, and about the topics that they publish to."""
    if environment.offline:
        yield not_here(Area.ALARMS, "The offline stack has no alarms.")
        return
    names = _resources(environment, "AWS::CloudWatch::Alarm")
    if names is None:
        yield _not_listed(Area.ALARMS, "Whether there are alarms")
        return
    alarms = ask(lambda: Alarms(clients.client_without_types("cloudwatch")).describe(names))
    if isinstance(alarms, Refusal):
        yield Check(Area.ALARMS, "How the alarms are", "cloudwatch:DescribeAlarms", tuple).explain(alarms)
        return
    yield from judge_alarms(names, alarms)
    for topic in _topics(alarms):
        name = topic.rsplit(":", 1)[-1]
        yield Check(
            Area.ALARMS,
            f"The topic {name}",
            "sns:ListSubscriptionsByTopic",
            partial(_judge_subscriptions, topic),
        )


def _topics(alarms: Sequence[AlarmFacts]) -> list[str]:
    actions = {action for alarm in alarms for action in alarm.actions}
    return sorted(action for action in actions if action.split(":")[2] == "sns")


def _judge_subscriptions(topic: str) -> Iterator[Finding]:
    return judge_subscriptions(topic, Topics(clients.client_without_types("sns")).subscriptions(topic))


def of_failure_queue(environment: Environment) -> Iterator[Check | Finding]:
    """Yield what is asked about the queue of what functions did not take."""
    arn = environment.settings.schedule_failures
    if not arn:
        yield unknown(
            Area.FAILURE_QUEUE,
            "Whether the failure queue is empty is unknown: BACKGROUND_JOBS_SCHEDULE_FAILURES is not set.",
            "Set it to the output ScheduleFailures of the stack.",
        )
        return
    yield Check(
        Area.FAILURE_QUEUE, "The failure queue", "sqs:GetQueueAttributes", partial(_judge_failures, arn)
    )


def _judge_failures(arn: str) -> Iterator[Finding]:
    yield judge_failures(*FailureMessages(clients.sqs(), arn).count())


def of_functions(environment: Environment) -> Iterator[Check | Finding]:
    """Yield what is asked about the functions, and about what gives them the stream."""
    names = _resources(environment, "AWS::Lambda::Function")
    mappings = _resources(environment, "AWS::Lambda::EventSourceMapping")
    if names is None or mappings is None:
        yield _not_listed(Area.FUNCTIONS, "How the functions are")
        return
    functions = Functions(clients.functions())
    facts = []
    for name in names:
        found = ask(partial(functions.describe, name))
        if isinstance(found, Refusal):
            subject = f"The function {name}"
            yield Check(Area.FUNCTIONS, subject, "lambda:GetFunctionConfiguration", tuple).explain(found)
        else:
            facts.append(found)
    yield from judge_functions(facts)
    for mapping in mappings:
        yield Check(
            Area.FUNCTIONS,
            f"The event source mapping {mapping}",
            "lambda:GetEventSourceMapping",
            partial(_judge_mapping, mapping),
        )


def _judge_mapping(mapping: str) -> Iterator[Finding]:
    yield judge_mapping(Functions(clients.functions()).describe_mapping(mapping))


def of_schedules(environment: Environment) -> Iterator[Check | Finding]:
    """Yield what is asked about the group of schedules."""
    group = schedule_group(environment.settings.environment)
    yield Check(
        Area.SCHEDULES,
        f"The schedule group {group}",
        "scheduler:GetScheduleGroup",
        partial(_judge_group, group),
    )


def _judge_group(group: str) -> Iterator[Finding]:
    state = Scheduler(clients.scheduler(), group).group_state()
    if state == "ACTIVE":
        yield ok(Area.SCHEDULES, f"The schedule group {group} is active.")
    else:
        yield problem(Area.SCHEDULES, f"The schedule group {group} is {state}.", "Deploy the stack again.")


def _resources(environment: Environment, kind: str) -> Sequence[str] | None:
    return None if environment.resources is None else environment.resources.get(kind, [])


def _not_listed(area: Area, subject: str) -> Finding:
    return unknown(
        area,
        f"{subject} is unknown, because the resources of the stack could not be listed.",
        "See what is said about the stack; it takes cloudformation:ListStackResources.",
    )
