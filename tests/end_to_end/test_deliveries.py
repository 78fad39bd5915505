"""What EventBridge delivers in the offline stack to functions, ours among them."""

import io
import json
import zipfile
from pathlib import Path

import boto3

from background_jobs.local_stack import LocalStack
from tests.offline import until

FAILS_ONCE = """
from pathlib import Path

def handler(event, context):
    tries = Path(event["detail"]["tries"])
    with tries.open("a") as file:
        file.write("x")
    if tries.read_text() == "x":
        raise OSError("the first try fails")
"""


def test_a_function_that_fails_once_is_given_the_event_again(stack: LocalStack, tmp_path: Path) -> None:
    # given a function that is invoked by a rule, and fails when it is called first
    assert stack.variables
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("fails_once.py", FAILS_ONCE)
    function = boto3.client("lambda").create_function(
        FunctionName="fails-once",
        Runtime="python3.12",
        Handler="fails_once.handler",
        Role="arn:aws:iam::000000000000:role/any",
        Code={"ZipFile": code.getvalue()},
    )
    events = boto3.client("events")
    events.put_rule(Name="trial", EventPattern=json.dumps({"source": ["trial"]}))
    events.put_targets(Rule="trial", Targets=[{"Id": "1", "Arn": function["FunctionArn"]}])

    # when an event is published once
    tries = tmp_path / "tries"
    detail = json.dumps({"tries": str(tries)})
    events.put_events(Entries=[{"Source": "trial", "DetailType": "Trial", "Detail": detail}])

    # then it was called twice
    until(lambda: tries.exists() and tries.read_text() == "xx")
