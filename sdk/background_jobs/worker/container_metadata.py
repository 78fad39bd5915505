"""What ECS tells a container of itself: where its output goes, and which task definition it runs."""

import json
import logging
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any, Final, NamedTuple

from background_jobs.settings import ContainerSettings, WarmWorkerSettings

_TIMEOUT_SECONDS: Final = 2
_LABEL: Final = "com.amazonaws.ecs.task-definition"
_log = logging.getLogger(__name__)


class ContainerMetadata(NamedTuple):
    """What is known of a container; what is not is empty."""

    log: str = ""
    """``<log group>/<log stream>``, or a file offline."""
    task_definition: str = ""
    """Family and revision: ``background-jobs-prod-billing:7``."""


def read_metadata(settings: ContainerSettings | WarmWorkerSettings) -> ContainerMetadata:
    """Return what *settings* say, or else ECS's metadata endpoint, or else nothing.

    Source: Amazon ECS Developer Guide, "Amazon ECS task metadata v4 examples".
    """
    if settings.log or not settings.metadata_uri.startswith("http://"):
        return ContainerMetadata(settings.log, settings.task_definition)
    try:
        with urllib.request.urlopen(settings.metadata_uri, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
            metadata = json.load(response)
    except (OSError, ValueError, HTTPException) as unknown:
        _log.warning("The container's log stream and task definition are not known: %s", unknown)
        return ContainerMetadata()
    return ContainerMetadata(
        log=_join("/", metadata.get("LogOptions", {}), "awslogs-group", "awslogs-stream"),
        task_definition=_join(":", metadata.get("Labels", {}), f"{_LABEL}-family", f"{_LABEL}-version"),
    )


def _join(separator: str, metadata: Mapping[str, Any], *names: str) -> str:
    return separator.join(filter(None, map(metadata.get, names)))
