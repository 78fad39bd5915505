"""Addresses of the AWS console, with the query filled in."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

_DOMAINS: Final = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}
"""By how the names of regions begin; all others have the first one."""

_SPECIAL: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_MOST_STREAMS: Final = 20
"""How many log streams a query names."""


def insights_url(region: str, groups: Sequence[str], query: str, since: datetime, until: datetime) -> str:
    """Return the address of CloudWatch Logs Insights in *region*, with *query* over log *groups* filled in.

    >>> url = insights_url("eu-central-1", ["/a"], "limit 1", *[datetime(2026, 11, 24, tzinfo=UTC)] * 2)
    >>> url.split("#")[0]
    'https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1'
    >>> url.partition("editorString")[2]
    "~'limit*201~source~(~'*2fa))"
    """
    domain = next((d for start, d in _DOMAINS.items() if region.startswith(start)), None)
    host = domain or f"{region}.console.aws.amazon.com"
    sources = "".join(f"~'{_escape(group)}" for group in groups)
    detail = (
        f"~(end~'{_escape(_time(until))}~start~'{_escape(_time(since))}~timeType~'ABSOLUTE~tz~'UTC"
        f"~editorString~'{_escape(query)}~source~({sources}))"
    )
    return f"https://{host}/cloudwatch/home?region={region}#logsV2:logs-insights$3FqueryDetail$3D{detail}"


def logs_query(orchestration_id: str, streams: Sequence[str], job_id: str | None) -> str:
    """Return the query for what containers with these log *streams* wrote, perhaps for one instance.

    Lines that jobs print past Python name no orchestration: they are found by the streams, as long as these
    fit into an address.
    """
    if 0 < len(streams) <= _MOST_STREAMS:
        which = f"@logStream in [{', '.join(map(_literal, streams))}]"
    else:
        which = f"orchestration_id = {_literal(orchestration_id)}"
    if job_id is not None:
        which += f"\n| filter job_id = {_literal(job_id)} or not ispresent(job_id)"
    return f"fields @timestamp, @message\n| filter {which}\n| sort @timestamp asc"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _escape(text: str) -> str:
    """Return *text* as the console's addresses spell it: ``*2f`` for a slash."""
    return _SPECIAL.sub(lambda part: "".join(f"*{byte:02x}" for byte in part[0].encode()), text)
