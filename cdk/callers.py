"""Policies to attach to the roles and users of an environment's callers and operators."""

from collections.abc import Iterable

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from background_jobs.cdk.acknowledgements import acknowledge_wildcard
from background_jobs.cdk.control_plane import ControlPlane
from background_jobs.cdk.examination import grant_examine
from background_jobs.cdk.functions import Functions
from background_jobs.cdk.job_services import JobServices
from background_jobs.cdk.progress_api import ProgressApi
from background_jobs.cdk.schedules import Schedules
from background_jobs.cdk.shared import SharedResources
from background_jobs.cdk.storage import Storage


class Callers(Construct):
    """Callers kick off, schedule and follow jobs, and read outcomes; operators examine, rebuild and redrive.

    There is a policy for callers of the whole environment, and one for those of each service.
    """

    def __init__(  # noqa: PLR0913 -- what callers and operators use
        self,
        scope: Construct,
        construct_id: str,
        *,
        shared: SharedResources,
        schedules: Schedules,
        progress_api: ProgressApi,
        control_plane: ControlPlane,
        services: JobServices,
        functions: Functions,
    ) -> None:
        super().__init__(scope, construct_id)
        storage = shared.storage
        self.callers = iam.ManagedPolicy(
            self, "Policy", description="May kick off jobs, follow them, and read what came of them"
        )
        self.operators = iam.ManagedPolicy(
            self,
            "Operators",
            description="May examine the environment, rebuild read models, and redrive what was not taken",
        )
        self.of_services = {
            service.name: self._callers_of(service.name, storage, services)
            for service in shared.config.services
        }
        storage.grant_call(self.callers)
        services.grant_read_logs(self.callers)
        storage.grant_rebuild(self.operators)
        control_plane.stream.grant_redrive(self.operators)
        self._let_examine(shared, control_plane)
        self._let_redrive([f for f in functions.all if f is not progress_api.function], shared)
        for manager in (self.callers, progress_api.function):
            schedules.grant_manage(manager)
            schedules.grant_make(manager)
            storage.payloads.grant_use_scheduled(manager)
            storage.payloads.grant_store_scheduled(manager)
            storage.payloads.grant_read_jobs(manager)
        storage.payloads.grant_publish_jobs(self.operators)
        schedules.add_variables(progress_api.function)
        acknowledge_wildcard(self.callers, "*", "Listing schedules cannot be allowed by resource.")
        every_method = progress_api.api.arn_for_execute_api()
        self.callers.add_statements(
            iam.PolicyStatement(actions=["execute-api:Invoke"], resources=[every_method])
        )
        acknowledge_wildcard(
            Stack.of(self), every_method, "Callers may use all of the API, and of this API only."
        )

    def _let_redrive(self, functions: Iterable[lambda_.Function], shared: SharedResources) -> None:
        """Let operators invoke *functions*, and read what rules of the bus make of an event for them."""
        arns = [function.function_arn for function in functions]
        bus = shared.settings.event_bus
        # The ARN of a rule on the default bus does not name the bus.
        named = f"{shared.name_prefix}*" if bus == "default" else f"{bus}/*"
        rules = Stack.of(self).format_arn(service="events", resource="rule", resource_name=named)
        self.operators.add_statements(
            iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=arns),
            iam.PolicyStatement(actions=["events:ListTargetsByRule"], resources=[rules]),
        )
        acknowledge_wildcard(self.operators, rules, "The names of rules are made by CloudFormation.")

    def _let_examine(self, shared: SharedResources, control_plane: ControlPlane) -> None:
        shared.storage.payloads.grant_tell_missing(self.operators)
        control_plane.stream.grant_examine(self.operators)
        grant_examine(
            self.operators,
            shared=shared,
            state_machine=control_plane.fan_out.state_machine,
        )

    def _callers_of(self, service: str, storage: Storage, services: JobServices) -> iam.ManagedPolicy:
        """Make a policy for callers of one service, who use neither the API, the history nor schedules."""
        policy = iam.ManagedPolicy(
            self,
            f"PolicyOf-{service}",
            description=f"May kick off jobs of {service}, follow them, and read what came of them",
        )
        storage.grant_call_service(policy, service)
        services.grant_read_log(policy, service)
        return policy
