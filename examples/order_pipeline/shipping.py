"""The function of another service: it hears of each pipeline that has ended, and ships."""

import json
import os
from typing import Any

import boto3


def handler(event: dict[str, Any], context: object) -> None:  # noqa: ARG001 -- Lambda hands it over
    """Note what is to be shipped; the same event again, which can happen, notes the same."""
    completed = event["detail"]
    boto3.client("s3").put_object(
        Bucket=os.environ["SHIPMENTS"],
        Key=f"{completed['orchestration_id']}.json",
        Body=json.dumps({"customer": completed["tags"]["customer"], "parcels": completed["completed"]}),
    )
