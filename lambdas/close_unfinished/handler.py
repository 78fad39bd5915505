"""Lambda: gives an outcome to the instances whose container or execution is gone for good."""

from functools import cache, partial
from typing import Any, Final

from aws_lambda_powertools import Logger

from background_jobs.aws.stores import Stores
from background_jobs.control_plane.close_unfinished import CloseRequest
from background_jobs.control_plane.function_time import FunctionContext, is_nearly_over
from background_jobs.control_plane.last_words import read_last_words
from background_jobs.control_plane.relaunch_or_close import relaunch_or_close
from background_jobs.settings import Settings

logger = Logger()
_LOOKS: Final = 3
"""How often it looks for what a container wrote last, which the outcomes quote for ever."""


@cache
def _stores() -> Stores:
    return Stores.of(Settings.from_env())


def handler(event: dict[str, Any], context: FunctionContext) -> dict[str, int]:
    """Close a share, or all that is left of an orchestration; say how many were closed and how many left."""
    request = CloseRequest.model_validate(event)
    with logger.append_context_keys(orchestration_id=request.orchestration_id):
        is_over, last_words = partial(is_nearly_over, context), partial(read_last_words, looks=_LOOKS)
        closed = relaunch_or_close(request, _stores(), is_over, last_words)
        logger.info("Closed", extra={"indices": str(request.indices or "all"), **closed._asdict()})
    return closed._asdict()
