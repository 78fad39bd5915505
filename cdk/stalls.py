"""A function that looks regularly for orchestrations in which nothing changes."""

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from background_jobs.settings import StallSettings
from cdk.functions import Functions
from cdk.rule_targets import function_target
from cdk.shared import SharedResources

_EVERY: Final = Duration.minutes(5)


class Stalls(Construct):
    """Notes stalled orchestrations in the log; the aggregator publishes them on the bus."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        shared: SharedResources,
        functions: Functions,
        failures: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        settings = StallSettings(stalled_after_seconds=shared.config.stalled_after_seconds)
        function = functions.function("note_stalls", seconds=300, variables=settings.to_env())
        shared.storage.grant_note(function)
        shared.storage.read_model.grant_read(function)
        events.Rule(
            self,
            "Look",
            schedule=events.Schedule.rate(_EVERY),
            # The next look is soon enough; that none reaches the function is to be heard of.
            targets=[function_target(function, failures, attempts=0)],
        )
