"""The results of instances: in their event, or in the bucket where they are large."""

from hashlib import sha256
from typing import Any

from background_jobs.aws.payloads import Payloads
from background_jobs.core.errors import InvalidResult
from background_jobs.core.events import PayloadRef
from background_jobs.core.payloads import INLINE_BYTES, result_document
from background_jobs.jobs import JobContext
from background_jobs.worker.working_time import WorkingTime


class ResultStore:
    """Keeps what the instances of one orchestration return."""

    def __init__(self, payloads: Payloads, folder: str, working_time: WorkingTime) -> None:
        self._payloads = payloads
        self._folder = folder
        self._working_time = working_time

    def store(self, result: object, context: JobContext) -> dict[str, Any]:
        """Return the fields of an event that say what an instance returned.

        The key of a large result has its digest. Whoever runs the instance again, even after its outcome is
        in the log, stores the same bytes or another object, and never changes what an outcome refers to.

        Raises InvalidResult, which names the instance.
        """
        if result is None:
            return {}
        plain, document = as_document(result, context)
        if len(document) <= INLINE_BYTES:
            return {"result": plain}
        key = f"{self._folder}/results/{context.index:08d}-{sha256(document).hexdigest()}.json"
        self._working_time.try_until_over(lambda: self._payloads.put(key, document))
        return {"result_ref": PayloadRef(key=key)}


def as_document(result: object, context: JobContext) -> tuple[Any, bytes]:
    """Return *result* as plain JSON types and as bytes. Raises InvalidResult, which names the instance."""
    try:
        return result_document(result)
    except InvalidResult as invalid:
        where = f"{context.job_name}[{context.index}] {context.job_id}"
        raise InvalidResult(f"{where}: {invalid}") from invalid
