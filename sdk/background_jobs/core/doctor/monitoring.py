"""Whether somebody would hear: alarms, the topics that they publish to, and the failure queue."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from background_jobs.core.doctor.findings import Area, Finding, ok, problem, warning
from background_jobs.core.wording import count_of

_PENDING: Final = ("PendingConfirmation", "Deleted")
"""What SNS has in place of the ARN of a subscription that gets nothing."""


class AlarmFacts(NamedTuple):
    """What CloudWatch says of an alarm."""

    name: str
    state: str
    actions: Sequence[str]
    """The ARNs of what hears of it."""
    actions_enabled: bool
    description: str


class SubscriptionFacts(NamedTuple):
    """What SNS says of a subscription."""

    endpoint: str
    arn: str


def judge_alarms(names: Sequence[str], alarms: Sequence[AlarmFacts]) -> Iterator[Finding]:
    """Judge the alarms of a stack, which has alarms of these *names*."""
    if not names:
        yield warning(
            Area.ALARMS,
            "The environment has no alarms.",
            "Set monitored=True and notify in environments.py, and deploy.",
        )
        return
    if gone := sorted({*names} - {alarm.name for alarm in alarms}):
        yield problem(
            Area.ALARMS,
            f"These alarms of the stack are gone: {', '.join(gone)}.",
            "Somebody deleted them; deploy the stack under another name of them, or make them again.",
        )
    ringing = [alarm for alarm in alarms if alarm.state == "ALARM"]
    for alarm in ringing:
        yield problem(Area.ALARMS, f"{alarm.name} is in ALARM.", alarm.description or "See docs/runbook.md.")
    if alarms and not ringing:
        yield ok(Area.ALARMS, f"{count_of(len(alarms), 'alarm')} watch, and none is in ALARM.")
    if muted := sorted(alarm.name for alarm in alarms if not alarm.actions_enabled):
        yield warning(
            Area.ALARMS,
            f"The actions of these alarms are turned off: {', '.join(muted)}.",
            f"aws cloudwatch enable-alarm-actions --alarm-names {' '.join(muted)}",
        )
    if alarms and not any(alarm.actions for alarm in alarms):
        yield warning(
            Area.ALARMS,
            "Nobody hears of the alarms: they have no action.",
            "Set notify of the environment to an address or a topic, and deploy.",
        )


def judge_subscriptions(topic: str, subscriptions: Sequence[SubscriptionFacts]) -> Iterator[Finding]:
    """Judge who hears of what is published to *topic*."""
    name = topic.rsplit(":", 1)[-1]
    confirmed = [s for s in subscriptions if s.arn not in _PENDING]
    for pending in (s for s in subscriptions if s.arn in _PENDING):
        yield problem(
            Area.ALARMS,
            f"{pending.endpoint} does not hear of alarms: its subscription to {name} is not confirmed.",
            "Follow the link in the mail of AWS Notifications; after three days, subscribe again.",
        )
    if confirmed:
        yield ok(Area.ALARMS, f"{count_of(len(confirmed), 'subscription')} to {name} confirmed.")
    elif not subscriptions:
        yield problem(
            Area.ALARMS,
            f"Nobody hears of the alarms: the topic {name} has no subscription.",
            f"aws sns subscribe --topic-arn {topic} --protocol email --notification-endpoint ADDRESS",
        )


def judge_failures(waiting: int, taken: int) -> Finding:
    """Judge the failure queue: messages that are *waiting*, and those that somebody has *taken* just now."""
    if not waiting + taken:
        return ok(Area.FAILURE_QUEUE, "The failure queue is empty.")
    return problem(
        Area.FAILURE_QUEUE,
        f"The failure queue has {count_of(waiting + taken, 'message')} that functions did not take.",
        "`background-jobs redrive --dry-run` lists them; docs/runbook.md#records-given-up says more.",
    )
