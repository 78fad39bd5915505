"""Kick-offs without a caller: by schedules, and by the completion of other orchestrations."""

from constructs import Construct

from background_jobs.cdk.event_stream import EventStream
from background_jobs.cdk.functions import Functions
from background_jobs.cdk.next_stages import NextStages
from background_jobs.cdk.schedules import Schedules
from background_jobs.cdk.shared import SharedResources


class KickOffs(Construct):
    """The function that kicks off, and the schedules and rules of the bus that invoke it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        shared: SharedResources,
        functions: Functions,
        stream: EventStream,
    ) -> None:
        super().__init__(scope, construct_id)
        self.function = functions.function("kick_off_job", seconds=900)
        shared.storage.grant_kick_off(self.function)
        stream.keep_what_fails(self.function)
        self.next_stages = NextStages(
            self, "NextStages", bus=shared.bus, kick_off_job=self.function, failures=stream.end
        )
        self.schedules = Schedules(
            self, "Schedules", shared=shared, kick_off_job=self.function, failures=stream.end
        )
