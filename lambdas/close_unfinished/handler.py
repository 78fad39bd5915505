"""Lambda: gives an outcome to the instances whose container or execution is gone."""

from functools import cache, partial
from typing import Any

from aws_lambda_powertools import Logger

from background_jobs.aws.stores import Stores
from background_jobs.control_plane.close_unfinished import CloseRequest, close_unfinished
from background_jobs.control_plane.function_time import FunctionContext, is_nearly_over
from background_jobs.settings import Settings

logger = Logger()


@cache
def _stores() -> Stores:
    return Stores.of(Settings.from_env())


def handler(event: dict[str, Any], context: FunctionContext) -> dict[str, int]:
    """Close a share, or all that is left of an orchestration; return how many instances were closed."""
    request = CloseRequest.model_validate(event)
    with logger.append_context_keys(orchestration_id=request.orchestration_id):
        closed = close_unfinished(request, _stores(), partial(is_nearly_over, context))
        logger.info("Closed", extra={"indices": str(request.indices or "all"), "closed": closed})
    return {"closed": closed}
