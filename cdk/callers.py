"""Policies to attach to the roles and users of an environment's callers and operators."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk.acknowledgements import acknowledge_wildcard
from cdk.progress_api import ProgressApi
from cdk.schedules import Schedules
from cdk.storage import Storage


class Callers(Construct):
    """Callers kick off, schedule and follow jobs, and read outcomes; operators may also rebuild."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        storage: Storage,
        schedules: Schedules,
        progress_api: ProgressApi,
    ) -> None:
        super().__init__(scope, construct_id)
        self.callers = iam.ManagedPolicy(
            self, "Policy", description="May kick off jobs, follow them, and read what came of them"
        )
        self.operators = iam.ManagedPolicy(
            self, "Operators", description="May put a read model right (background-jobs rebuild)"
        )
        storage.grant_call(self.callers)
        storage.grant_rebuild(self.operators)
        for manager in (self.callers, progress_api.function):
            schedules.grant_manage(manager)
            schedules.grant_make(manager)
            storage.payloads.grant_use_scheduled(manager)
            storage.payloads.grant_store_scheduled(manager)
        schedules.add_variables(progress_api.function)
        acknowledge_wildcard(self.callers, "*", "Listing schedules cannot be allowed by resource.")
        every_method = progress_api.api.arn_for_execute_api()
        self.callers.add_statements(
            iam.PolicyStatement(actions=["execute-api:Invoke"], resources=[every_method])
        )
        acknowledge_wildcard(
            Stack.of(self), every_method, "Callers may use all of the API, and of this API only."
        )
