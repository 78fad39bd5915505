"""The environment that is examined, and what is asked about it as a whole."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Final

from background_jobs.aws import clients
from background_jobs.aws.clock import clock
from background_jobs.aws.event_bus import EventBus
from background_jobs.aws.identities import Identities
from background_jobs.aws.progress_api import ask_progress_api
from background_jobs.aws.state_machine import StateMachine
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.doctor.check import Check
from background_jobs.core.doctor.consistency import (
    Identity,
    StackFacts,
    judge_clock,
    judge_home,
    judge_outputs,
    judge_presence,
    judge_service,
    judge_stack,
    judge_version,
)
from background_jobs.core.doctor.findings import Area, Finding, not_here, ok, problem, unknown
from background_jobs.core.doctor.needs import NOBODY, Arns, judge_permissions, needs_of_callers
from background_jobs.core.errors import OrchestrationNotFound
from background_jobs.settings import PREFIX, Settings

PACKAGE: Final = "background-job-service"
_REFUSED: Final = (401, 403)
_SUCCESS: Final = range(200, 300)
_FOR_SCHEDULES: Final = ("schedule_function", "schedule_role", "schedule_failures")


@dataclass(frozen=True, slots=True)
class Environment:
    """What is known of an environment before its parts are asked about."""

    settings: Settings
    identity: Identity
    stack: StackFacts | None
    """None where it is not there, or could not be read."""
    resources: Mapping[str, list[str]] | None
    """The physical ids of the stack's resources, by type; None where they could not be listed."""
    offline: bool
    is_deployed: bool
    """False where AWS says that there is no such stack."""

    @property
    def services(self) -> tuple[str, ...]:
        """Return the names of its services."""
        named = self.stack.outputs.get("ServiceNames", "") if self.stack else ""
        return (
            self.settings.service_names or tuple(filter(None, named.split(","))) or (self.settings.service,)
        )

    @property
    def arns(self) -> Arns:
        """Return the ARNs of what callers use."""
        settings, identity = self.settings, self.identity
        partition = identity.arn.split(":")[1]
        tables = f"arn:{partition}:dynamodb:{identity.region}:{identity.account}:table"
        return Arns(
            event_log=f"{tables}/{settings.event_log_table}",
            read_model=f"{tables}/{settings.read_model_table}",
            bucket=f"arn:{partition}:s3:::{settings.payload_bucket}",
        )


def judge_settings(environment: Environment) -> Iterator[Finding]:
    """Judge the settings by themselves, and against credentials, stack and SDK."""
    settings = environment.settings
    values = {f"{PREFIX}{field.upper()}": str(getattr(settings, field)) for field in _FOR_SCHEDULES}
    yield from judge_home(
        environment.identity, {name: arn for name, arn in values.items() if arn}, settings.api_url
    )
    yield from judge_presence(settings.api_url, [name for name, arn in values.items() if not arn])
    yield from judge_service(settings.service, environment.services)
    if environment.stack is None:
        return
    outputs = dict(environment.stack.outputs)
    if environment.offline:
        # There, each stack has the jobs that it was brought up with.
        outputs.pop("JobNames", None)
    yield from judge_outputs(settings.to_outputs(), outputs)
    yield judge_stack(environment.stack)
    yield judge_version(version(PACKAGE), environment.stack.outputs)


def of_places(environment: Environment) -> Iterator[Check]:
    """Yield what is asked about the places that callers and functions use."""
    settings = environment.settings
    stores = Stores.of(settings).for_service(settings.service)
    bus = EventBus(clients.events(), settings.event_bus)
    event_log, read_model = settings.event_log_table, settings.read_model_table
    find_bucket = stores.payloads.find_bucket
    yield _place(f"The event log {event_log}", "dynamodb:GetItem", partial(_read_log, stores))
    yield _place(f"The read model {read_model}", "dynamodb:GetItem", partial(_read_model, stores))
    yield _place(f"The payload bucket {settings.payload_bucket}", "s3:ListBucket", find_bucket)
    yield _place(f"The event bus {settings.event_bus}", "events:DescribeEventBus", bus.find)
    for arn in (environment.resources or {}).get("AWS::StepFunctions::StateMachine", ()):
        yield Check(
            Area.REACHABILITY,
            "The state machine",
            "states:DescribeStateMachine",
            partial(_find_state_machine, arn),
        )
    if settings.api_url:
        yield Check(
            Area.REACHABILITY, "The progress API", "execute-api:Invoke", partial(_ask_api, settings.api_url)
        )
    yield Check(Area.REACHABILITY, "The clock", "", _judge_clock)


def _place(subject: str, permission: str, question: Callable[[], object]) -> Check:
    return Check(Area.REACHABILITY, subject, permission, partial(_succeed, question, f"{subject} answers."))


def _succeed(question: Callable[[], object], sentence: str) -> Iterator[Finding]:
    question()
    yield ok(Area.REACHABILITY, sentence)


def _read_log(stores: Stores) -> None:
    stores.event_log.read_cancelled(NOBODY)


def _read_model(stores: Stores) -> None:
    with suppress(OrchestrationNotFound):
        stores.read_model.read_summary(NOBODY)


def _judge_clock() -> Iterator[Finding]:
    yield judge_clock(clock.offset_seconds)


def _find_state_machine(arn: str) -> Iterator[Finding]:
    status = StateMachine(clients.stepfunctions(), arn).status()
    if status == "ACTIVE":
        yield ok(Area.REACHABILITY, "The state machine is active.")
    else:
        yield problem(Area.REACHABILITY, f"The state machine is {status}.", "Deploy the stack again.")


def _ask_api(api_url: str) -> Iterator[Finding]:
    try:
        yield _judge_answer(api_url, ask_progress_api(api_url))
    except OSError as failed:
        yield problem(
            Area.REACHABILITY,
            f"The progress API at {api_url} does not answer: {failed}",
            "Check the network and BACKGROUND_JOBS_API_URL; without that, watching reads the read model.",
        )


def _judge_answer(api_url: str, status: int) -> Finding:
    if status in _REFUSED:
        return unknown(
            Area.REACHABILITY,
            f"The progress API at {api_url} answers, but not to these credentials ({status}).",
            "Use credentials with execute-api:Invoke (CallerPolicy), or a token of the user pool.",
        )
    if status in _SUCCESS:
        return ok(Area.REACHABILITY, f"The progress API at {api_url} answers.")
    return problem(
        Area.REACHABILITY,
        f"The progress API at {api_url} answers with status {status}.",
        "Check BACKGROUND_JOBS_API_URL; the log of the function progress_api says more.",
    )


def of_permissions(environment: Environment) -> Iterator[Check | Finding]:
    """Yield what is asked about what the credentials may do; nothing is written to find out."""
    settings = environment.settings
    if environment.offline:
        yield not_here(Area.PERMISSIONS, "The offline stack lets everybody do everything.")
        return
    yield Check(
        Area.PERMISSIONS,
        f"Whether these credentials may kick off jobs of {settings.service}",
        "iam:SimulatePrincipalPolicy (and iam:GetRole, for a role)",
        partial(_simulate, environment.identity.arn, environment.arns, settings.service),
    )


def _simulate(arn: str, arns: Arns, service: str) -> Iterator[Finding]:
    if arn.endswith(":root"):
        yield ok(Area.PERMISSIONS, "These credentials are the account's root user, which may do everything.")
        return
    identities = Identities(clients.client_without_types("sts"), clients.client_without_types("iam"))
    principal = identities.principal(arn)
    denied = [(need, identities.denied(principal, need)) for need in needs_of_callers(arns, service)]
    yield from judge_permissions(service, denied)
