"""The page of a report, with its style, in one file."""

from typing import Final

from background_jobs.core.report import sections, troubles
from background_jobs.core.report.content import ReportContent
from background_jobs.core.report.markup import Markup, element, join
from background_jobs.core.report.pictures import draw_patterns

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Whatever got into the file all the same, nothing in it runs or is loaded."""


def write_report(content: ReportContent, *, tokens: str, style: str) -> str:
    """Return the report as HTML; *tokens* and *style* are CSS, the first with the console's colours."""
    title = f"{content.view.job_name} {content.view.orchestration_id[:8]} · Report"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("title", title),
        element("style", Markup(tokens), Markup(style)),
    )
    body = element("body", draw_patterns(), element("main", *_write_sections(content)))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _write_sections(content: ReportContent) -> list[Markup | None]:
    footer = f"Background Job Service {content.version}. All times are in UTC."
    return [
        sections.write_head(content),
        sections.write_counts(content),
        sections.write_waits(content),
        troubles.write_causes(content),
        sections.write_comparison(content),
        sections.write_grid(content),
        sections.write_throughput(content),
        sections.write_facts(content),
        sections.write_stages(content),
        sections.write_cost(content),
        troubles.write_containers(content),
        sections.write_timeline(content),
        join(element("footer", footer, class_="muted")),
    ]
