"""The published description of the API: up to date, complete, and with names that people can read."""

import re
from functools import cache
from typing import Any

from background_jobs.progress_api.document import published_document, to_text
from tests.checkout import REPOSITORY


@cache
def document() -> dict[str, Any]:
    return published_document()


def operations() -> dict[str, Any]:
    return {
        operation["operationId"]: operation
        for methods in document()["paths"].values()
        for operation in methods.values()
    }


def test_the_document_in_docs_is_that_of_the_routes() -> None:
    shipped = (REPOSITORY / "docs" / "openapi.json").read_text()
    assert shipped == to_text(document()), "run `make schemas` and commit what it wrote"


def test_operations_are_named_by_a_verb_and_a_noun() -> None:
    assert len(operations()) == sum(map(len, document()["paths"].values()))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", name) for name in operations())


def test_whatever_an_operation_refuses_is_described_as_a_problem() -> None:
    for name, operation in operations().items():
        refusals = {status: one for status, one in operation["responses"].items() if status >= "400"}
        assert {"400", "401", "403", "404", "413", "415", "422", "429", "500", "503"} <= refusals.keys(), name
        for refusal in refusals.values():
            (media_type,) = refusal["content"]
            schema = refusal["content"][media_type]["schema"]["$ref"]
            assert (media_type, schema) == ("application/problem+json", "#/components/schemas/Problem")


def test_every_body_has_an_example() -> None:
    for name, operation in operations().items():
        if body := operation.get("requestBody"):
            assert body["content"]["application/json"]["examples"], name


def test_each_event_of_a_stream_has_a_schema() -> None:
    stream = operations()["watch_orchestration"]["responses"]["200"]["content"]["text/event-stream"]
    assert stream["x-events"].keys() == {"snapshot", "transitions", "progress", "completed", "heartbeat"}
    for reference in stream["x-events"].values():
        assert reference["$ref"].removeprefix("#/components/schemas/") in document()["components"]["schemas"]


def test_a_stream_by_token_needs_nothing_but_its_token() -> None:
    assert document()["security"] == [{"iam": []}, {"userPool": []}, {}]
    assert operations()["watch_with_token"]["security"] == [{"streamToken": []}]
    assert document()["components"]["securitySchemes"].keys() == {"iam", "userPool", "streamToken"}
