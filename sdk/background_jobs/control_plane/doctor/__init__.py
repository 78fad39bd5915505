"""Asking a deployed environment what is wrong with it; nothing is written, anywhere."""

from collections.abc import Iterator
from typing import Final

from background_jobs.aws import clients
from background_jobs.aws.clock import clock
from background_jobs.aws.identities import Identities
from background_jobs.aws.questions import Refusal, ask
from background_jobs.aws.stack import Stack
from background_jobs.aws.thread_pool import ThreadPool
from background_jobs.control_plane.doctor.check import Check
from background_jobs.control_plane.doctor.environment import (
    Environment,
    judge_settings,
    of_permissions,
    of_places,
)
from background_jobs.control_plane.doctor.monitoring import (
    of_alarms,
    of_failure_queue,
    of_functions,
    of_schedules,
)
from background_jobs.control_plane.doctor.services import of_quotas, of_services, read_definitions
from background_jobs.core.containers.variables import stack_name
from background_jobs.core.doctor.consistency import Identity, judge_clock
from background_jobs.core.doctor.findings import Area, Finding, problem
from background_jobs.settings import Settings

_THREADS: Final = 8


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield what is found in the environment of *settings*, area by area.

    What may not be asked is a finding, too; no refusal of AWS is raised.
    """
    identity = ask(_ask_identity)
    if isinstance(identity, Refusal):
        yield _explain_silence(identity)
        if clock.offset_seconds:
            # AWS refuses what is signed with a time of another.
            yield judge_clock(clock.offset_seconds)
        return
    environment, refused = _read_stack(settings, identity)
    yield from judge_settings(environment)
    yield from refused
    if not environment.is_deployed:
        return
    with ThreadPool(_THREADS) as pool:
        for findings in pool.map(_findings, _checks(environment)):
            yield from findings


def _explain_silence(refusal: Refusal) -> Finding:
    if refusal.kind == "unreachable":
        return problem(
            Area.SETTINGS,
            f"AWS is out of reach: {refusal.message}",
            "See what this says. Nothing else was asked.",
        )
    return problem(
        Area.SETTINGS,
        f"AWS cannot be asked with these credentials: {refusal.message}",
        "Set AWS_PROFILE or AWS_ACCESS_KEY_ID, and AWS_REGION; offline, bring a stack up with "
        "`background-jobs local up`. Nothing else was asked.",
    )


def _ask_identity() -> Identity:
    # STS can be asked without a region, but nothing else can.
    clients.cloudformation()
    return Identities(clients.client_without_types("sts"), clients.client_without_types("iam")).caller()


def _read_stack(settings: Settings, identity: Identity) -> tuple[Environment, list[Finding]]:
    """Return the environment, and what there is to say where its stack could not be read."""
    name = stack_name(settings.environment)
    stack = Stack(clients.cloudformation(), name)
    described, resources = ask(stack.describe), ask(stack.resources)
    environment = Environment(
        settings,
        identity,
        None if isinstance(described, Refusal) else described,
        None if isinstance(resources, Refusal) else resources,
        clients.on_emulator(),
        is_deployed=described is not None,
    )
    if not environment.is_deployed:
        return environment, [
            problem(
                Area.VERSION,
                f"There is no stack {name} in account {identity.account} and region {identity.region}.",
                "Check AWS_PROFILE, AWS_REGION and BACKGROUND_JOBS_ENVIRONMENT, or deploy it. "
                "Nothing else was asked.",
            )
        ]
    asked = (("DescribeStacks", described), ("ListStackResources", resources))
    return environment, [
        Check(Area.VERSION, f"The stack {name}", f"cloudformation:{action}", tuple).explain(answer)
        for action, answer in asked
        if isinstance(answer, Refusal)
    ]


def _checks(environment: Environment) -> Iterator[Check | Finding]:
    yield from of_places(environment)
    yield from of_permissions(environment)
    definitions = read_definitions(environment)
    yield from of_services(environment, definitions)
    yield from of_quotas(environment, definitions)
    yield from of_alarms(environment)
    yield from of_failure_queue(environment)
    yield from of_functions(environment)
    yield from of_schedules(environment)


def _findings(item: Check | Finding) -> list[Finding]:
    return [item] if isinstance(item, Finding) else item.findings()
