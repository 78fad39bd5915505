"""Finding job instances by their params, through the history of a job."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

from background_jobs.aws.stores import Stores
from background_jobs.core.errors import OrchestrationNotFound, PayloadNotFound
from background_jobs.core.events import JobErrored, OrchestrationStarted
from background_jobs.core.read_model import Summary
from background_jobs.core.statuses import State
from background_jobs.core.views.found_instances import FoundInstance, has_params
from background_jobs.core.views.instances import InstanceView


def find_instances(
    summaries: Iterable[Summary], wanted: Mapping[str, Any], stores: Stores, limit: int
) -> list[FoundInstance]:
    """Return the first *limit* instances of some orchestrations whose params have what is *wanted*.

    An orchestration whose params have expired has none.
    """
    return list(islice(_find(summaries, wanted, stores, limit), limit))


def _find(
    summaries: Iterable[Summary], wanted: Mapping[str, Any], stores: Stores, limit: int
) -> Iterator[FoundInstance]:
    for summary in summaries:
        with suppress(OrchestrationNotFound, PayloadNotFound):
            started = stores.event_log.read_started(summary.orchestration_id)
            matches = dict(islice(_match(started, wanted, stores), limit))
            yield from _describe(started, matches, stores)


def _match(
    started: OrchestrationStarted, wanted: Mapping[str, Any], stores: Stores
) -> Iterator[tuple[int, dict[str, Any]]]:
    if not started.total:
        return
    texts = [f'"{text}"'.encode() for text in wanted.values() if _is_written_as_it_is(text)]
    for index, line in enumerate(stores.payloads.lines(started.params_key)):
        # Most lines are told apart without being parsed.
        if all(text in line for text in texts) and has_params(params := json.loads(line), wanted):
            yield index, params


def _is_written_as_it_is(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable() and not set('"\\') & set(value)


def _describe(
    started: OrchestrationStarted, matches: Mapping[int, dict[str, Any]], stores: Stores
) -> Iterator[FoundInstance]:
    if not matches:
        return
    model = stores.read_model.read_snapshot(started.orchestration_id)
    views = {index: InstanceView.of(started.orchestration_id, index, model.rank(index)) for index in matches}
    errored = [index for index, view in views.items() if view.state is State.ERRORED]
    event_log = stores.event_log.for_service(started.service)
    outcomes = event_log.read_outcomes_at(started.orchestration_id, errored)
    errors = {event.index: event.error for event in outcomes if isinstance(event, JobErrored)}
    for index, params in matches.items():
        yield FoundInstance(
            orchestration_id=started.orchestration_id,
            started_at=started.at,
            tags=started.tags,
            instance=views[index],
            params=params,
            error=errors.get(index),
        )
