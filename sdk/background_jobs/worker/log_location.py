"""Where the output of this container goes, so that a failure can say where to look."""

import json
import logging
import urllib.request
from typing import Final

from background_jobs.settings import ContainerSettings

_TIMEOUT_SECONDS: Final = 2
_log = logging.getLogger(__name__)


def log_location(settings: ContainerSettings) -> str:
    """Return the location in *settings*, or else ECS's ``<log group>/<log stream>``, or else nothing."""
    if settings.log or not settings.metadata_uri.startswith("http://"):
        return settings.log
    try:
        with urllib.request.urlopen(settings.metadata_uri, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
            options = json.load(response).get("LogOptions", {})
    except (OSError, ValueError) as unknown:
        _log.warning("The container's log stream is not known: %s", unknown)
        return ""
    return "/".join(filter(None, (options.get("awslogs-group"), options.get("awslogs-stream"))))
