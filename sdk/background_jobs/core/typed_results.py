"""Results as the types that jobs return: read from JSON when a caller asks for one."""

from collections.abc import Callable
from typing import Any

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic_core import to_json

from background_jobs.core.errors import InvalidJob, ResultMismatch
from background_jobs.core.json_places import describe
from background_jobs.core.refused_values import explain_refused

_UNKNOWN_TYPE = (PydanticUserError, PydanticUndefinedAnnotation, TypeError)


class ResultType:
    """The type that a job returns. Raises InvalidJob if pydantic cannot read it from JSON."""

    def __init__(self, job_name: str, annotation: Any) -> None:  # noqa: ANN401 -- any type
        self._job_name = job_name
        self._annotation = annotation
        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        except _UNKNOWN_TYPE as unknown:
            raise InvalidJob(
                f"The job {job_name!r} returns a type that cannot be read back from JSON: {unknown}. "
                "Annotate it with a pydantic model, a dataclass, a TypedDict or types of JSON, or with Any."
            ) from unknown

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Be made anew where it arrives."""
        return type(self), (self._job_name, self._annotation)

    def read(self, index: int, plain: object) -> Any:  # noqa: ANN401 -- an object of the type
        """Return what *plain*, the JSON result of instance *index*, stands for. Raises ResultMismatch."""
        try:
            return self._adapter.validate_json(to_json(plain), strict=True)
        except ValidationError as misfit:
            reason = explain_refused(misfit)
        except Exception as broken:  # noqa: BLE001 -- a validator of the type may raise anything
            reason = f"a validator of it raised {describe(broken)}"
        name = getattr(self._annotation, "__name__", None)
        text = name if isinstance(self._annotation, type) and name else str(self._annotation)
        raise ResultMismatch(self._job_name, index, text, reason)
