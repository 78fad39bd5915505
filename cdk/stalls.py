"""A function that looks regularly for orchestrations in which nothing changes."""

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from background_jobs.cdk.functions import Functions
from background_jobs.cdk.job_services import JobServices
from background_jobs.cdk.rule_targets import function_target
from background_jobs.cdk.shared import SharedResources
from background_jobs.settings import StallSettings, WarmSettings

_EVERY: Final = Duration.minutes(5)


class Stalls(Construct):
    """Notes stalled orchestrations in the log; the aggregator publishes them on the bus."""

    def __init__(  # noqa: PLR0913 -- what it looks at
        self,
        scope: Construct,
        construct_id: str,
        *,
        shared: SharedResources,
        functions: Functions,
        services: JobServices,
        failures: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        settings = StallSettings(stalled_after_seconds=shared.config.stalled_after_seconds)
        variables = settings.to_env()
        if services.varies_warm_workers:
            warm = WarmSettings(
                cluster_arn=services.cluster_arn,
                capacity_providers=services.capacity_providers,
                warm_workers=services.warm_workers,
            )
            variables |= warm.scalars_to_env() if shared.config.bundled else warm.to_env()
        function = functions.function("note_stalls", seconds=300, variables=variables)
        services.grant_keep_warm(function)
        shared.storage.grant_note(function)
        shared.storage.read_model.grant_read(function)
        events.Rule(
            self,
            "Look",
            schedule=events.Schedule.rate(_EVERY),
            # The next look is soon enough; that none reaches the function is to be heard of.
            targets=[function_target(function, failures, attempts=0)],
        )
