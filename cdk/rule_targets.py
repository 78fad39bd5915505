"""The functions that rules of EventBridge invoke, and what becomes of events that do not reach them."""

from typing import Final

from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

ATTEMPTS: Final = 20
"""How often EventBridge tries to hand an event over; it makes longer and longer pauses between them."""


def function_target(
    function: lambda_.IFunction,
    failures: sqs.IQueue,
    *,
    event: events.RuleTargetInput | None = None,
    attempts: int = ATTEMPTS,
) -> targets.LambdaFunction:
    """Return *function* as a target; what cannot be handed to it in *attempts* goes to the queue *failures*.

    Without a queue EventBridge drops such an event, and nothing but a metric of its own says so. Source:
    Amazon EventBridge User Guide, "Using dead-letter queues to process undelivered events".
    """
    return targets.LambdaFunction(function, event=event, retry_attempts=attempts, dead_letter_queue=failures)
