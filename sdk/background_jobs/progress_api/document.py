"""The published OpenAPI document: ``python -m background_jobs.progress_api.document > docs/openapi.json``."""

import json
import sys
from typing import Any

from background_jobs.progress_api.app import create_app
from background_jobs.progress_api.openapi import describe
from background_jobs.settings import ApiSettings, Authorization, Settings


def published_document() -> dict[str, Any]:
    """Return the document of the API with every way to authenticate; a deployed one has its own way only."""
    settings = Settings(environment="local", event_log_table="-", read_model_table="-", payload_bucket="-")
    return describe(create_app(settings, ApiSettings()), *Authorization)


def to_text(document: dict[str, Any]) -> str:
    """Return *document* as the text of its file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(to_text(published_document()))
