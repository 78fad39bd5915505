"""Whether settings, credentials, stack and SDK belong together."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

from background_jobs.core.doctor.findings import Area, Finding, ok, problem, warning

_REGION_OF_API: Final = re.compile(r"https://[^/]+\.execute-api\.([a-z0-9-]+)\.")
_PLACES: Final = (
    "EventLogTable",
    "ReadModelTable",
    "PayloadBucket",
    "EventBus",
    "ScheduleFunction",
    "ScheduleRole",
    "ScheduleFailures",
)
"""The outputs of the stack that say where something is."""
_LISTS: Final = ("ServiceNames", "JobNames", "MaxParallelism", "RetentionDays", "ServiceRetentionDays")
"""The outputs that callers go by, and that a deployment may change."""


class Identity(NamedTuple):
    """Whose the credentials are, and where they are used."""

    arn: str
    account: str
    region: str


class StackFacts(NamedTuple):
    """What CloudFormation says of a stack."""

    name: str
    status: str
    outputs: Mapping[str, str]


def judge_home(identity: Identity, arns: Mapping[str, str], api_url: str) -> Iterator[Finding]:
    """Judge whether the settings are of the account and region of the credentials.

    *arns* are those settings that are ARNs, by the names of their variables.
    """
    found = False
    for name, arn in arns.items():
        _, _, _, region, account, *_ = [*arn.split(":"), *[""] * 5]
        if account != identity.account:
            found = True
            yield problem(
                Area.SETTINGS,
                f"{name} is of account {account or '(none)'}, and the credentials are of {identity.account}.",
                "Use a profile of that account (AWS_PROFILE), or the outputs of a stack in this one.",
            )
        if region and region != identity.region:
            found = True
            yield problem(
                Area.SETTINGS,
                f"{name} is of region {region}, and this process calls {identity.region}.",
                f"Set AWS_REGION={region}, or use the outputs of the stack in {identity.region}.",
            )
    region_of_api = _REGION_OF_API.match(api_url)
    if region_of_api and region_of_api[1] != identity.region:
        found = True
        yield problem(
            Area.SETTINGS,
            f"The API of the settings is in {region_of_api[1]}, and this process calls {identity.region}.",
            "Use the outputs of one stack for all settings.",
        )
    if not found:
        yield ok(
            Area.SETTINGS,
            f"The credentials are {identity.arn}, in {identity.region}, where the settings belong.",
        )


def judge_presence(api_url: str, missing_for_schedules: list[str]) -> Iterator[Finding]:
    """Judge the settings that may be left out. *missing_for_schedules* are names of variables."""
    if not api_url:
        yield warning(
            Area.SETTINGS,
            "BACKGROUND_JOBS_API_URL is not set: whoever watches reads the read model.",
            "Set it to the output ApiUrl, if this process may use the API.",
        )
    if missing_for_schedules:
        yield warning(
            Area.SETTINGS,
            f"Schedules cannot be made without {', '.join(missing_for_schedules)}.",
            "Set them to the outputs of the stack, if this process makes schedules.",
        )


def judge_service(service: str, services: Collection[str]) -> Iterator[Finding]:
    """Judge whether the service for which jobs are kicked off is one of those of the environment."""
    if service not in services:
        yield problem(
            Area.SETTINGS,
            f"BACKGROUND_JOBS_SERVICE is {service!r}, and the environment has {', '.join(services)}.",
            "Set it to one of these, or name a service in each kick-off.",
        )


def judge_stack(stack: StackFacts) -> Finding:
    """Judge the state of the stack itself."""
    status = stack.status
    if status.endswith("_IN_PROGRESS"):
        return warning(
            Area.VERSION, f"The stack {stack.name} is being changed ({status}).", "Ask again when it is done."
        )
    if status == "UPDATE_ROLLBACK_COMPLETE":
        return warning(
            Area.VERSION,
            f"The last deployment of {stack.name} was rolled back ({status}): what runs is the one before.",
            "The stack's events in CloudFormation say why; deploy again.",
        )
    if "FAILED" in status or "ROLLBACK" in status or "DELETE" in status:
        return problem(
            Area.VERSION,
            f"The stack {stack.name} is in the state {status}.",
            "The stack's events in CloudFormation say why; docs/deploying.md says how to go on.",
        )
    return ok(Area.VERSION, f"The stack {stack.name} is deployed ({status}).")


def judge_version(installed: str, outputs: Mapping[str, str]) -> Finding:
    """Judge whether the SDK and what is deployed are of one release."""
    deployed = outputs.get("Version")
    if deployed == installed:
        return ok(Area.VERSION, f"The SDK and the environment are both of release {installed}.")
    return warning(
        Area.VERSION,
        f"The SDK is of release {installed}, and the environment was deployed with {deployed or 'an earlier'}"
        f"{'' if deployed else ' one'}.",
        f"Deploy the environment with release {installed}, or install "
        f"{f'background-job-service=={deployed}' if deployed else 'the release it was deployed with'} here.",
    )


def judge_outputs(settings: Mapping[str, str], outputs: Mapping[str, str]) -> Iterator[Finding]:
    """Judge whether *settings*, by the names of outputs, are what the stack puts out now."""
    stale = [name for name in (*_PLACES, *_LISTS) if _differs(settings, outputs, name)]
    for name in stale:
        judge = problem if name in _PLACES else warning
        yield judge(
            Area.SETTINGS,
            f"The setting {name} is {settings[name]!r}, and the stack says {outputs[name]!r}.",
            "Take the outputs of the stack as settings again.",
        )
    missing = [name for name in _PLACES if settings.get(name) and name not in outputs]
    if missing:
        yield warning(
            Area.SETTINGS,
            f"The stack does not put out {', '.join(missing)}, so that the settings cannot be compared.",
            "Deploy the stack again; if it was never deployed to its end, its state says why.",
        )
    if not stale and not missing:
        yield ok(Area.SETTINGS, "The settings are the outputs of the stack.")


def _differs(settings: Mapping[str, str], outputs: Mapping[str, str], name: str) -> bool:
    return name in settings and name in outputs and settings[name] != outputs[name]


def judge_clock(offset_seconds: float) -> Finding:
    """Judge the clock of this machine; *offset_seconds* is how far AWS's is ahead, 0 for not for certain."""
    if not offset_seconds:
        return ok(Area.REACHABILITY, "This machine's clock agrees with AWS's.")
    side = "behind" if offset_seconds > 0 else "ahead of"
    return warning(
        Area.REACHABILITY,
        f"This machine's clock is {abs(offset_seconds):.0f} s {side} AWS's.",
        "Have it set (NTP); from five minutes on, AWS refuses what it signs.",
    )
