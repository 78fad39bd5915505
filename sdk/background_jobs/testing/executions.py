"""Step Functions in memory: the executions of the one state machine."""

from typing import Any

from background_jobs.aws.state_machine import FanOutInput
from background_jobs.testing.client import MemoryClient
from background_jobs.testing.fan_out import FanOut, FanOutParts
from background_jobs.testing.refusals import Exceptions


class MemoryStepFunctions(MemoryClient):
    """The executions, by name; nothing of them is told but by what they do."""

    service = "stepfunctions"
    exceptions = Exceptions("ExecutionAlreadyExists", "ExecutionDoesNotExist")

    def __init__(self, parts: FanOutParts) -> None:
        super().__init__(parts.time, parts.faults)
        self._parts = parts
        self._executions: dict[str, FanOut] = {}

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:  # noqa: A002, N803 -- the names of boto3
        """Start an execution."""
        self._request("StartExecution")
        if name in self._executions:
            raise self.exceptions.make("ExecutionAlreadyExists", "StartExecution", f"{name} already exists.")
        fan_out = FanOutInput.model_validate_json(input)
        shares = self._parts.stores.payloads.get(fan_out.shares_key)
        execution = self._executions[name] = FanOut(self._parts, fan_out, shares)
        execution.start()
        return {"executionArn": f"{stateMachineArn}:{name}"}

    def stop_execution(self, *, executionArn: str, error: str, cause: str) -> dict[str, Any]:  # noqa: N803 -- the same
        """Stop an execution."""
        del error, cause
        self._request("StopExecution")
        name = executionArn.rsplit(":", 1)[-1]
        if name not in self._executions:
            raise self.exceptions.make("ExecutionDoesNotExist", "StopExecution", f"{name} does not exist.")
        self._executions[name].stop()
        return {}

    def end(self) -> None:
        """End every container, as the twin is closed."""
        for execution in self._executions.values():
            execution.end()
