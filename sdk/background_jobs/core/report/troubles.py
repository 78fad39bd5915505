"""The sections of a report about failures, by cause, and about the containers."""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from background_jobs.core.payloads import bounded
from background_jobs.core.report.content import ReportContent
from background_jobs.core.report.markup import Child, Markup, element, join
from background_jobs.core.report.pictures import draw_at_once, draw_launches
from background_jobs.core.report.sections import section, table
from background_jobs.core.report.words import clock, count, span
from background_jobs.core.views.causes import Cause
from background_jobs.core.views.containers import ContainerState, ContainerView, page_containers
from background_jobs.core.views.instances import InstanceDetail
from background_jobs.core.wording import count_of

LAUNCHES: Final = 100
"""How many launches are drawn; those that were lost or failed come before others."""
_LISTED: Final = 50
"""How many of them are listed in words, chosen in the same way."""
_TROUBLED: Final = frozenset({ContainerState.FAILED, ContainerState.LOST})
_PARAMS: Final = 2_000
_TRACEBACK: Final = 4_000
_MESSAGE: Final = 500


def write_causes(content: ReportContent) -> Markup | None:
    """Return the failures by cause, each with what its params share; None where nothing failed."""
    if not content.view.counts.errored:
        return None
    if content.digest is None:
        gone = f"{count(content.view.counts.errored)} errored; their params have expired."
        return section("Failures by cause", element("p", gone))
    digest = content.digest
    more = (
        f"{count_of(digest.more_causes, 'cause')} more, none more frequent." if digest.more_causes else None
    )
    said = f"{count(digest.failed)} of {count_of(digest.total, 'instance')} failed, for "
    return section(
        "Failures by cause",
        element("p", f"{said}{count_of(len(digest.causes) + digest.more_causes, 'cause')}."),
        *(_write_cause(cause, content.examples.get(cause.indices[0])) for cause in digest.causes),
        element("p", more, class_="muted") if more else None,
    )


def _write_cause(cause: Cause, example: InstanceDetail | None) -> Markup:
    shown = ", ".join(map(str, cause.indices))
    others = (
        f" and {count(cause.count - len(cause.indices))} more" if cause.count > len(cause.indices) else ""
    )
    common = [
        element("li", f"{param} (", f"{count_of(param.instances, 'instance')} in all)")
        for param in cause.common
    ]
    return element(
        "article",
        element("h3", element("code", cause.type), f", {count_of(cause.count, 'time')}"),
        element("p", bounded(cause.message, _MESSAGE), class_="error"),
        element("p", element("code", cause.place), class_="muted") if cause.place else None,
        element("p", "All of them have, and not all others:") if common else None,
        element("ul", *common) if common else None,
        element("p", f"Instances {shown}{others}", class_="muted"),
        _write_example(example) if example else None,
    )


def _write_example(example: InstanceDetail) -> Markup:
    index = example.instance.index
    params = bounded(json.dumps(example.params, ensure_ascii=False, indent=2), _PARAMS)
    trace = bounded(example.error.traceback, _TRACEBACK) if example.error else ""
    return join(
        _write_code(params, f"Params of instance {index}"),
        _write_code(trace, f"Traceback of instance {index}") if trace else None,
    )


def _write_code(text: str, label: str) -> Markup:
    return join(
        element("h4", label),
        element("pre", text, tabindex=0, role="region", aria_label=label),
    )


def write_containers(content: ReportContent) -> Markup:
    """Return the containers over time, and each launch in words."""
    views = content.containers
    if not views:
        return section("Containers", element("p", "No container has begun its share."))
    page = page_containers(views, began_at=content.started.at, now=content.written_at, limit=1)
    counts = ", ".join(f"{count(number)} {state}" for state, number in page.counts.items() if number)
    drawn, listed = _choose(views, LAUNCHES), _choose(views, _LISTED)
    head = ("Share", "Launch", "Instances", "State", "Started", "Ran", "Memory", "Reason")
    return section(
        "Containers",
        element("p", f"{'1 launch' if len(views) == 1 else f'{len(views):,} launches'}: {counts}."),
        draw_at_once(page),
        _note_left_out(len(views), len(drawn), "drawn"),
        draw_launches(drawn, page.began_at, page.until),
        _note_left_out(len(views), len(listed), "listed"),
        table(head, (_describe(view, content) for view in listed), "Launches of containers", wordy=True),
    )


def _note_left_out(launches: int, shown: int, how: str) -> Markup | None:
    if shown == launches:
        return None
    text = f"{count(shown)} of {count(launches)} launches are {how}, those first that were lost or failed."
    return element("p", text, class_="muted")


def _choose(views: Sequence[ContainerView], most: int) -> list[ContainerView]:
    """Return the launches that are shown, in their order."""
    ranked = sorted(views, key=lambda view: view.state not in _TROUBLED)[:most]
    return sorted(ranked, key=lambda view: (view.share, view.launch))


def _describe(view: ContainerView, content: ReportContent) -> Iterator[Child]:
    yield str(view.share)
    yield str(view.launch)
    yield f"{view.first} to {view.last}"
    yield f"{view.state} on a warm worker" if view.warm else view.state
    yield element("time", clock(view.started_at))
    yield span(view.seconds(content.written_at))
    yield f"{view.memory_mib:,} MiB" if view.memory_mib else ""
    delay = f"launched late: {view.delay}" if view.delay else ""
    yield bounded(". ".join(filter(None, (view.reason, delay))), _MESSAGE)
