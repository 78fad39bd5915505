"""A function that looks regularly for orchestrations in which nothing changes."""

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from background_jobs.settings import StallSettings
from cdk.functions import Functions
from cdk.shared import SharedResources

_EVERY: Final = Duration.minutes(5)


class Stalls(Construct):
    """Notes stalled orchestrations in the log; the aggregator publishes them on the bus."""

    def __init__(
        self, scope: Construct, construct_id: str, *, shared: SharedResources, functions: Functions
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
            targets=[targets.LambdaFunction(function, retry_attempts=0)],
        )
