"""Clients that others have made of docs/openapi.json, in Python and in TypeScript, against the real API offline."""

from pathlib import Path

from background_jobs.local_stack import LocalStack
from tests.clients.conftest import DOCUMENT, HERE, PYTHON, run


def test_a_generated_python_client_uses_every_operation_and_parses_every_answer(
    stack: LocalStack, python_client: Path
) -> None:
    script = [str(PYTHON), str(HERE / "use_client.py"), stack.settings.api_url, str(DOCUMENT)]
    assert run(script, PYTHONPATH=str(python_client)) == "42 operations\n"


def test_a_generated_typescript_client_is_typed_and_runs(stack: LocalStack, typescript_client: Path) -> None:
    run([str(typescript_client / "node_modules/.bin/tsc"), "--project", str(typescript_client)])
    script = ["node", str(typescript_client / "use_client.ts"), stack.settings.api_url]
    assert run(script) == "3 refusals\n"
