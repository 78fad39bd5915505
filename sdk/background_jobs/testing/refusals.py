"""Errors of AWS as botocore raises them, made of their documented names."""

from typing import Any, Final

from botocore.exceptions import ClientError

_THROTTLED: Final = {
    "dynamodb": (
        "ProvisionedThroughputExceededException",
        "The level of configured provisioned throughput for the table was exceeded.",
        400,
    ),
    "s3": ("SlowDown", "Please reduce your request rate.", 503),
    "events": ("ThrottlingException", "Rate exceeded", 400),
    "scheduler": ("ThrottlingException", "Rate exceeded", 429),
    "stepfunctions": ("ThrottlingException", "Rate exceeded", 400),
}
"""By service, the code, message and status of a call that is throttled."""
SERVICES: Final = tuple(_THROTTLED)


class Exceptions:
    """The attribute `exceptions` of a client: the errors that *names* are, and ClientError."""

    def __init__(self, *names: str) -> None:
        self.ClientError = ClientError
        for name in names:
            setattr(self, name, type(name, (ClientError,), {}))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- a class of errors
        raise NotImplementedError(f"The twin does not know the error {name} of AWS.")

    def make(self, name: str, operation: str, message: str = "", **more: object) -> ClientError:
        """Return the error *name* of a call."""
        kind = getattr(self, name)
        response: Any = {"Error": {"Code": name, "Message": message}, **more}
        error: ClientError = kind(response, operation)
        return error


def throttled(service: str, operation: str, retries: int) -> ClientError:
    """Return the error of a call that was throttled, and as often again as botocore tries it again."""
    code, message, status = _THROTTLED[service]
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "RetryAttempts": retries, "MaxAttemptsReached": True},
    }
    return ClientError(response, operation)
