"""The tasks of Step Functions that wait for a call with their token."""

from typing import TYPE_CHECKING

from background_jobs.aws.clients import reaching_aws

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class TaskTokens:
    """Tells Step Functions of tasks; each method tells whether the task still waited for that."""

    def __init__(self, stepfunctions: "SFNClient") -> None:
        self._stepfunctions = stepfunctions

    @reaching_aws
    def beat(self, token: str) -> bool:
        """Say that somebody works on the task."""
        try:
            self._stepfunctions.send_task_heartbeat(taskToken=token)
        except self._over:
            return False
        return True

    @reaching_aws
    def succeed(self, token: str) -> bool:
        """Say that the task is done."""
        try:
            self._stepfunctions.send_task_success(taskToken=token, output="{}")
        except self._over:
            return False
        return True

    @reaching_aws
    def fail(self, token: str, error: str, cause: str) -> bool:
        """Say that the task failed."""
        try:
            self._stepfunctions.send_task_failure(taskToken=token, error=error, cause=cause)
        except self._over:
            return False
        return True

    @property
    def _over(self) -> tuple[type[Exception], ...]:
        known = self._stepfunctions.exceptions
        # A token is of no task any more once its execution has ended.
        return known.TaskTimedOut, known.TaskDoesNotExist, known.InvalidToken

    def close(self) -> None:
        """Close the connections, in a fork that must not use those of its parent."""
        self._stepfunctions.close()
