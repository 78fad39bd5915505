"""The jobs of the infrastructure's tests; the main of their containers."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from background_jobs import JobContext, job_name, run_e11_job


@job_name("double")
def double(params: dict[str, Any]) -> int:
    number: int = params["n"]
    if number < 0:
        raise ValueError(f"{number} is below zero")
    return 2 * number


@job_name("long_text")
def long_text(params: dict[str, Any]) -> str:
    """Return what is too long for an event."""
    return "x" * 100_000


@job_name("wait_for_the_end")
def wait_for_the_end(params: dict[str, Any], job: JobContext) -> None:
    """Say that it runs, and go on until it is stopped."""
    job.progress(1, "waiting")
    Path(params["running"]).touch()
    while True:
        time.sleep(1)


@job_name("tamper")
def tamper(params: dict[str, Any]) -> list[str]:
    """Try to change the log as one may not, and return what AWS says of each try."""
    log, bucket = os.environ["BACKGROUND_JOBS_EVENT_LOG_TABLE"], os.environ["BACKGROUND_JOBS_PAYLOAD_BUCKET"]
    key = {"pk": {"S": params["orchestration_id"]}, "sk": {"S": "orchestration#started"}}
    dynamodb, s3 = boto3.client("dynamodb"), boto3.client("s3")
    return [
        _refusal(lambda: dynamodb.delete_item(TableName=log, Key=key)),
        _refusal(lambda: dynamodb.update_item(TableName=log, Key=key)),
        _refusal(lambda: s3.list_objects_v2(Bucket=bucket)),
    ]


def _refusal(call: Callable[[], object]) -> str:
    try:
        call()
    except ClientError as refused:
        return refused.response["Error"]["Code"]
    return "nothing"


if __name__ == "__main__":
    if os.environ.get("JOB_NAME") == "broken":
        sys.exit("broken")
    run_e11_job([double, long_text, wait_for_the_end, tamper])
