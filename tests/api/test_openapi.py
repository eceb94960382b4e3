"""The OpenAPI schema says what clients and their generators need."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cairn.api.examples import ANSWERS, REFUSED
from cairn.main import schema
from tests.api.asking import Cairn, Json

SCHEMA: Json = schema()
OPERATIONS: list[Json] = [it for path in SCHEMA["paths"].values() for it in path.values()]
CHECK = Path(__file__).parents[2] / "openapi" / "check"


def answers() -> Iterator[tuple[str, int, Json]]:
    """Each answer: of which operation, its status and what the schema says of it."""
    for operation in OPERATIONS:
        for status, answer in operation["responses"].items():
            yield operation["operationId"], int(status), answer


def test_operations_have_the_names_of_functions_and_tags_are_described() -> None:
    names = [operation["operationId"] for operation in OPERATIONS]
    assert {"start_run", "list_runs", "rerun", "list_context_checkpoints"} <= set(names)
    assert len(names) == len(set(names))
    assert all(name.isidentifier() for name in names)
    described = {tag["name"] for tag in SCHEMA["tags"] if tag["description"]}
    assert described == {tag for operation in OPERATIONS for tag in operation["tags"]}


def test_schemas_have_readable_names() -> None:
    assert all(name.isalpha() for name in SCHEMA["components"]["schemas"])


def test_every_answer_has_an_example_and_no_example_is_of_none() -> None:
    shown, refused = set(), set()
    for operation, status, answer in answers():
        for media_type, content in answer.get("content", {}).items():
            if status < 400:
                example = ANSWERS[operation, status]
                if media_type == "application/x-ndjson":
                    shown_items = [json.loads(line) for line in content["example"].splitlines()]
                    assert shown_items == example["items"]
                elif media_type == "text/event-stream":
                    blocks = content["example"].split("\n\n")[:-1]
                    data = [block.split("data: ")[1].splitlines()[0] for block in blocks]
                    assert [*map(json.loads, data)] == example["items"]
                else:
                    assert media_type == "application/json"
                    assert content["example"] == example
                shown.add((operation, status))
            else:
                assert media_type == "application/problem+json"
                for code, example in content["examples"].items():
                    assert example["value"]["type"] == f"/problems/{code}"
                    assert (example["value"]["status"], bool(content["schema"])) == (status, True)
                    refused.add(code)
                assert content["examples"]
    assert shown == ANSWERS.keys()
    assert refused == REFUSED.keys()


def test_only_what_takes_a_body_can_find_it_too_large_or_of_another_type() -> None:
    for operation in OPERATIONS:
        can = {"400", "413", "415"} & operation["responses"].keys()
        assert can == ({"400", "413", "415"} if "requestBody" in operation else set())


def test_no_field_of_a_body_has_a_default_that_generated_clients_would_demand() -> None:
    for name, model in SCHEMA["components"]["schemas"].items():
        if name.endswith("In"):
            for field, what in model["properties"].items():
                assert what.get("default") is None, f"{name}.{field}"


@pytest.mark.parametrize(
    ("operation", "status", "headers"),
    [
        ("start_run", 202, {"Location", "Preference-Applied"}),
        ("start_run", 200, {"Location", "Preference-Applied"}),
        ("rerun", 202, {"Location", "Preference-Applied"}),
        ("send_event", 202, {"Location"}),
        ("create_context", 201, {"Location"}),
        ("get_run", 200, {"Preference-Applied", "ETag"}),
        ("get_run", 304, {"ETag"}),
        ("get_checkpoint", 200, {"ETag"}),
        ("list_run_checkpoints", 304, {"ETag"}),
        ("ready", 503, {"Retry-After"}),
    ],
)
def test_headers_that_are_sent_are_described(
    operation: str, status: int, headers: set[str]
) -> None:
    [answer] = [it for name, of, it in answers() if (name, of) == (operation, status)]
    assert answer["headers"].keys() == headers


async def test_an_answer_that_was_waited_for_says_so(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    waited = await cairn.http.get(f"/runs/{run['id']}", headers={"prefer": "wait=7"})
    assert waited.headers["preference-applied"] == "wait=7"
    at_once = await cairn.http.get(f"/runs/{run['id']}")
    assert "preference-applied" not in at_once.headers


def test_what_checks_the_schema_is_locked_without_addresses() -> None:
    lock: Any = json.loads((CHECK / "package-lock.json").read_text())
    packages = {name: it for name, it in lock["packages"].items() if name}
    assert packages
    assert all("integrity" in it and "resolved" not in it for it in packages.values())
