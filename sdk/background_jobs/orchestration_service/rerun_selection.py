"""Which instances a rerun runs again, and with what params."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from background_jobs.aws.stores import Stores
from background_jobs.core import ids
from background_jobs.core.causes import cause_id
from background_jobs.core.errors import CauseNotFound, InvalidKickOff, OrchestrationNotFound
from background_jobs.core.events import OrchestrationStarted
from background_jobs.core.index_ranges import parse_ranges, write_ranges
from background_jobs.core.lineage import Rerun
from background_jobs.core.merge_patch import merge_patch
from background_jobs.core.options import RerunOptions
from background_jobs.core.statuses import Status
from background_jobs.core.views.instances import STATES, indices_in_states
from background_jobs.orchestration_service.outcomes import read_errors
from background_jobs.orchestration_service.rerun_family import read_repaired, read_rerun_indices
from background_jobs.orchestration_service.stored_params import read_params


@dataclass(frozen=True, slots=True)
class Selection:
    """Instances of an orchestration that are to run again."""

    started: OrchestrationStarted
    only: Rerun
    indices: Sequence[int]
    """They ascend."""
    change: Callable[[dict[str, Any]], dict[str, Any]]
    """Makes the params of an instance in the rerun from those that it had."""

    def read_params(self, stores: Stores) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Yield the params of each instance, before and after the change. Raises PayloadNotFound."""
        for before in read_params(self.started, self.indices, stores.payloads):
            yield before, self.change(before)

    @property
    def recorded_indices(self) -> str:
        """Return the indices as text where they do not follow from the orchestration; else an empty one."""
        return write_ranges(self.indices) if self.only == "selected" else ""


def select(started: OrchestrationStarted, options: RerunOptions, stores: Stores) -> Selection:
    """Return the instances of an ended orchestration that *options* name.

    Raises InvalidKickOff, also where there are none, or CauseNotFound.
    """
    indices = _find_indices(started, options, stores)
    if not indices:
        raise InvalidKickOff(
            f"Orchestration {started.orchestration_id} has nothing to run again: "
            "it has no instance of those that were asked for."
        )
    return Selection(started, _describe(options), indices, _change_of(options, len(indices)))


def _describe(options: RerunOptions) -> Rerun:
    """Return which instances *options* name, as events have it."""
    if options.cause or options.indices or options.next_stages or options.only not in (None, "failed", "all"):
        return "selected"
    return options.only or "failed"


def _find_indices(started: OrchestrationStarted, options: RerunOptions, stores: Stores) -> Sequence[int]:
    names_some = options.indices and not options.cause and not options.next_stages
    only = options.only or ("all" if names_some else "failed")
    indices: Sequence[int] = range(started.total)
    if options.indices:
        indices = _named(options.indices, started)
    if only != "all":
        status = Status.COMPLETED if only == "completed" else Status.ERRORED
        model = stores.read_model.read_snapshot(started.orchestration_id)
        by_status = indices_in_states(model, STATES[status])
        wanted = _mask(indices, started.total)
        indices = array("I", (index for index in by_status if wanted[index]))
    if options.cause:
        indices = _of_cause(options.cause, indices, started.orchestration_id, stores)
    if only == "unrepaired" or options.next_stages:
        indices = _unrepaired(indices, started.orchestration_id, options, stores)
    return indices


def _mask(indices: Iterable[int], total: int) -> bytearray:
    mask = bytearray(total)
    for index in indices:
        mask[index] = 1
    return mask


def _named(ranges: str, started: OrchestrationStarted) -> Sequence[int]:
    parts = parse_ranges(ranges)
    if parts[-1].last >= started.total:
        there = f"it has 0 to {started.total - 1}" if started.total else "it has none"
        raise InvalidKickOff(
            f"indices: there is no instance {parts[-1].last} in {started.orchestration_id}; {there}."
        )
    return array("I", (index for part in parts for index in part.numbers()))


def _unrepaired(
    indices: Sequence[int], orchestration_id: str, options: RerunOptions, stores: Stores
) -> Sequence[int]:
    if options.key is not None:
        # The rerun of this key is the one that is asked for again, whatever was repaired meanwhile.
        itself = ids.rerun_id(orchestration_id, options.key)
        with suppress(OrchestrationNotFound):
            again = read_rerun_indices(stores.event_log.read_started(itself), stores)
            wanted = _mask(
                indices if again is None else again, stores.event_log.read_started(orchestration_id).total
            )
            return array("I", (index for index in indices if wanted[index]))
    went_on = options.next_stages and options.only != "unrepaired"
    repaired = read_repaired(orchestration_id, stores, that_went_on=went_on)
    return array("I", (index for index in indices if not repaired[index])) if repaired else indices


def _of_cause(cause: str, indices: Sequence[int], orchestration_id: str, stores: Stores) -> Sequence[int]:
    errors = read_errors(orchestration_id, indices, stores)
    found = array("I", (event.index for event in errors if cause_id(event.error) == cause))
    if not found:
        raise CauseNotFound(orchestration_id, cause)
    return found


def _change_of(options: RerunOptions, count: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    params, patch = options.params, options.params_patch
    if params is not None and patch is not None:
        raise InvalidKickOff("Give either params, for one instance, or params_patch, for each.")
    if params is not None and count > 1:
        raise InvalidKickOff(
            f"params are those of one instance, and {count:,} are to run again. Name the one with indices, "
            "or change the params of each with params_patch."
        )
    if params is not None:
        return lambda _: params
    return (lambda before: merge_patch(before, patch)) if patch else (lambda before: before)
