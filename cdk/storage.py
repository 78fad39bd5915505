"""Where an environment keeps its data, and what each kind of user may do with it."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.event_log import EventLogTable
from background_jobs.cdk.payloads import PayloadBucket
from background_jobs.cdk.read_model import ReadModelTable


class Storage(Construct):
    """The event log, the read model and the payloads."""

    def __init__(
        self, scope: Construct, construct_id: str, *, config: EnvironmentConfig, key: kms.IKey | None
    ) -> None:
        super().__init__(scope, construct_id)
        self.event_log = EventLogTable(self, "EventLog", config=config, key=key)
        self.read_model = ReadModelTable(self, "ReadModel", config=config, key=key)
        self.payloads = PayloadBucket(self, "Payloads", config=config, key=key)

    def grant_call(self, to: iam.IGrantable) -> None:
        """Let *to* kick off jobs, follow and cancel them, and read their outcomes."""
        self.event_log.grant_append(to)
        self.event_log.grant_read(to)
        self.read_model.grant_read(to)
        self.payloads.grant_read(to)
        self.payloads.grant_tell_missing(to)
        self.payloads.grant_write(to)

    def grant_call_service(self, to: iam.IGrantable, service: str) -> None:
        """Let *to* do the same with jobs of *service* alone."""
        self.event_log.grant_call(to, service)
        self.read_model.grant_read_service(to, service)
        self.payloads.grant_call(to, service)

    def grant_start(self, to: iam.IGrantable, service: str | None) -> None:
        """Let *to* kick off and, with `grant_follow`, cancel jobs of *service*, or of all."""
        self.event_log.grant_start(to, service)
        self.payloads.grant_write(to, service)

    def grant_follow(self, to: iam.IGrantable, service: str | None) -> None:
        """Let *to* follow jobs of *service*, or of all, and read their params and outcomes."""
        self.event_log.grant_follow(to, service)
        self.payloads.grant_read(to, service)
        if service is None:
            self.read_model.grant_read(to)
            self.payloads.grant_tell_missing(to)
        else:
            self.read_model.grant_read_service(to, service)

    def grant_kick_off(self, to: iam.IGrantable) -> None:
        """Let *to* kick off due schedules, and next stages with the results of the stage before."""
        self.event_log.grant_append(to)
        self.event_log.grant_read(to)
        self.read_model.grant_read_by_id(to)
        self.payloads.grant_read(to)
        self.payloads.grant_tell_missing(to)
        self.payloads.grant_write(to)
        self.payloads.grant_use_scheduled(to)

    def grant_work(self, to: iam.IGrantable, service: str) -> None:
        """Let *to* work for *service*: read params, append what happens, store large results."""
        self.event_log.grant_work(to, service)
        self.payloads.grant_work(to, service)

    def grant_aggregate(self, to: iam.IGrantable) -> None:
        """Let *to* fold the log into the read model as it comes, and append completions."""
        self.read_model.grant_fold(to)
        self.event_log.grant_append(to)

    def grant_note(self, to: iam.IGrantable) -> None:
        """Let *to* append its observations of an orchestration, and read the events before them."""
        self.event_log.grant_append(to)
        self.event_log.grant_read(to)

    def grant_rebuild(self, to: iam.IGrantable) -> None:
        """Let *to* fold the log again from its beginning."""
        self.grant_aggregate(to)
        self.event_log.grant_read(to)

    def grant_close(self, to: iam.IGrantable) -> None:
        """Let *to* give outcomes to instances that have none."""
        self.event_log.grant_append(to)
        self.event_log.grant_read(to)
        self.read_model.grant_read_summary(to)
        self.payloads.grant_read(to)
