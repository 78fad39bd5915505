"""Whether the functions could run, and whether the stream is given to those that follow it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from background_jobs.core.doctor.findings import Area, Finding, ok, problem, warning
from background_jobs.core.wording import count_of


class FunctionFacts(NamedTuple):
    """What Lambda says of a function."""

    name: str
    state: str
    last_update: str
    reason: str
    """Why it is in that state, or was not updated."""


class MappingFacts(NamedTuple):
    """What Lambda says of an event source mapping."""

    id: str
    function: str
    state: str
    last_result: str


def judge_functions(functions: Sequence[FunctionFacts]) -> Iterator[Finding]:
    """Judge all functions of a stack."""
    broken = 0
    for function in functions:
        failed = function.state == "Failed" or function.last_update == "Failed"
        if failed:
            broken += 1
            yield problem(
                Area.FUNCTIONS,
                f"{function.name} is {function.state}, and its last update {function.last_update}: "
                f"{function.reason or 'Lambda does not say why'}",
                "Deploy the stack again.",
            )
        elif function.state == "Pending" or function.last_update == "InProgress":
            broken += 1
            yield warning(Area.FUNCTIONS, f"{function.name} is being updated.", "Ask again in a minute.")
    if functions and not broken:
        yield ok(
            Area.FUNCTIONS, f"{count_of(len(functions), 'function')} deployed, and none failed to update."
        )


def judge_mapping(mapping: MappingFacts) -> Finding:
    """Judge what gives a function the records of the event log's stream."""
    if mapping.state in ("Disabled", "Disabling"):
        return problem(
            Area.FUNCTIONS,
            f"{mapping.function} is not given the events of the log: its event source mapping is "
            f"{mapping.state}.",
            f"aws lambda update-event-source-mapping --enabled --uuid {mapping.id}; "
            "the stream keeps its records for a day.",
        )
    if mapping.last_result.startswith("PROBLEM"):
        return problem(
            Area.FUNCTIONS,
            f"{mapping.function} does not get the events of the log: {mapping.last_result}",
            "The function's log has the error; docs/runbook.md#records-fail says how to go on.",
        )
    if mapping.state != "Enabled":
        return warning(
            Area.FUNCTIONS,
            f"The event source mapping of {mapping.function} is {mapping.state}.",
            "Ask again in a minute.",
        )
    return ok(
        Area.FUNCTIONS,
        f"{mapping.function} is given the events of the log ({mapping.last_result or 'no records so far'}).",
    )
