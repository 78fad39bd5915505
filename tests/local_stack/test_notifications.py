"""A notification from the kick-off on the command line to a receiver, through rule, function and secret."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from background_jobs.core.notifications.signature import signed_headers
from background_jobs.local_stack.notifications import WEBHOOK_SECRET
from tests.offline import until
from tests.receiver import receiving

JOBS = Path(__file__).parents[1] / "end_to_end" / "jobs.py"
COMMAND = str(Path(sys.executable).with_name("background-jobs"))
SCRIPT = f"""
import subprocess, sys
kick_off = [{COMMAND!r}, "kick-off", "fussy", "-", "--notify", "ops", "--watch"]
subprocess.run(kick_off, input='{{"bad": "acme"}}\\n{{}}\\n', text=True)
refused = [{COMMAND!r}, "kick-off", "fussy", "-", "--notify", "opps"]
print(subprocess.run(refused, input="{{}}", text=True, capture_output=True).stderr)
sys.stdin.readline()
"""


def test_a_channel_of_an_offline_stack_is_told_with_counts_causes_and_a_link() -> None:
    with receiving() as receiver:
        command = [COMMAND, "local", "run", "--jobs", str(JOBS), "--containers", "1"]
        command += ["--webhook", f"ops={receiver.url}/hook", "--", sys.executable, "-c", SCRIPT]
        program = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        until(lambda: receiver.posts or program.poll() is not None)
        output, _ = program.communicate("\n", timeout=60)

    post = receiver.posts[0]
    message = json.loads(post.body)["data"]
    counts = message["orchestration"]
    assert (counts["completed"], counts["errored"], counts["outcome"]) == (1, 1, "Errored")
    assert [(cause["message"], cause["count"]) for cause in message["causes"]] == [("acme is bad", 1)]
    assert message["url"].startswith("http://127.0.0.1:")
    assert message["url"].endswith(f"/#/orchestrations/{counts['orchestration_id']}")
    at = datetime.fromtimestamp(int(post.headers["webhook-timestamp"]), UTC)
    assert signed_headers(WEBHOOK_SECRET, counts["event_id"], at, post.body).items() <= post.headers.items()
    assert "There is no channel 'opps' in this environment. It has: ops." in output
