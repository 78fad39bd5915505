"""The functions in Lambda, invoked again with what they did not take."""

import json
from typing import Any

from background_jobs.aws.clients import reaching_aws
from background_jobs.core.errors import BackgroundJobsError


class FunctionFailed(BackgroundJobsError):
    """A function raised, or could not be invoked."""

    def __init__(self, function: str, message: str) -> None:
        self.function = function
        self.message = message
        super().__init__(f"The function {function.rsplit(':', 1)[-1]} failed: {message}")


class Functions:
    """Invokes functions by their ARNs."""

    def __init__(self, functions: Any) -> None:  # noqa: ANN401 -- a client of Lambda
        self._functions = functions

    def send(self, function: str, payload: str) -> None:
        """Hand the event *payload* to Lambda, which runs *function* with it and tries again if that fails.

        What fails for good comes back to the failure queue. Raises FunctionFailed where Lambda refuses it.
        """
        self._invoke(function, payload, "Event")

    def ask(self, function: str, payload: str) -> Any:  # noqa: ANN401 -- each function's own answer
        """Run *function* with the event *payload*, and return what it answers. Raises FunctionFailed."""
        answer = self._invoke(function, payload, "RequestResponse")
        said = answer["Payload"].read().decode()
        if "FunctionError" in answer:
            raise FunctionFailed(function, said)
        return json.loads(said or "null")

    @reaching_aws
    def _invoke(self, function: str, payload: str, kind: str) -> Any:  # noqa: ANN401 -- boto3's answer
        from botocore.exceptions import ClientError  # noqa: PLC0415 -- slow to import

        try:
            return self._functions.invoke(
                FunctionName=function, InvocationType=kind, Payload=payload.encode()
            )
        except ClientError as refused:
            raise FunctionFailed(function, str(refused)) from refused
