"""What kicks off jobs without a caller: the clock, and the completion of other orchestrations."""

from constructs import Construct

from cdk.chaining import Chaining
from cdk.event_stream import EventStream
from cdk.functions import Functions
from cdk.schedules import Schedules
from cdk.shared import SharedResources


class KickOffs(Construct):
    """The one function that kicks off, the schedules that invoke it, and the rules on the bus that do."""

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
        self.chaining = Chaining(self, "Chaining", bus=shared.bus, kick_off_job=self.function)
        self.schedules = Schedules(
            self, "Schedules", shared=shared, kick_off_job=self.function, failures=stream.end
        )
