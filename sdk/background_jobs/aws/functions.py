"""The functions in Lambda: invoked again with what they did not take, and how they are."""

import json
from typing import Any

from background_jobs.aws.clients import reaching_aws
from background_jobs.core.doctor.functions import FunctionFacts, MappingFacts
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

    def describe(self, name: str) -> FunctionFacts:
        """Return how a function is. Raises ClientError."""
        found = self._functions.get_function_configuration(FunctionName=name)
        return FunctionFacts(
            name,
            found.get("State", "Active"),
            found.get("LastUpdateStatus", "Successful"),
            found.get("StateReason") or found.get("LastUpdateStatusReason") or "",
        )

    def describe_mapping(self, mapping: str) -> MappingFacts:
        """Return how an event source mapping is, by its UUID. Raises ClientError."""
        found = self._functions.get_event_source_mapping(UUID=mapping)
        function = found["FunctionArn"].rsplit(":", 1)[-1]
        return MappingFacts(mapping, function, found["State"], found.get("LastProcessingResult", ""))

    def concurrency(self) -> tuple[int, int]:
        """Return how many functions may run at once: in the account, and unreserved. Raises ClientError."""
        limit = self._functions.get_account_settings()["AccountLimit"]
        return limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]

    @reaching_aws
    def _invoke(self, function: str, payload: str, kind: str) -> Any:  # noqa: ANN401 -- boto3's answer
        from botocore.exceptions import ClientError  # noqa: PLC0415 -- slow to import

        try:
            return self._functions.invoke(
                FunctionName=function, InvocationType=kind, Payload=payload.encode()
            )
        except ClientError as refused:
            raise FunctionFailed(function, str(refused)) from refused
