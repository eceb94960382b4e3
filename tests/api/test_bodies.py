"""Bodies: what they bring is kept as it was sent, or refused."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.api.asking import Cairn, read, refused, serving

JSON = {"content-type": "application/json"}


async def start(cairn: Cairn, topic: str) -> Any:
    """Start a run with a topic that is written just so."""
    body = f'{{"workflow": "joke", "start_event": {{"topic": {topic}}}}}'
    return await cairn.http.post("/runs", content=body, headers=JSON)


# Numbers


@pytest.mark.parametrize(
    "number", ["1e400", "-1E400", "1" + "0" * 309 + ".0", "9" * 1_205, f"-{'9' * 4_000}"]
)
async def test_a_number_too_large_to_be_kept_is_refused_wherever_it_stands(
    cairn: Cairn, number: str
) -> None:
    problem = refused(await start(cairn, f'[1, {{"deep": {number}}}]'), 422, "Send it as text")
    [error] = problem["errors"]
    assert error["where"] == ["body", "start_event", "topic", 1, "deep"]
    assert "body.start_event.topic.1.deep" in problem["detail"]
    refused(await cairn.http.post("/contexts", content=number, headers=JSON), 422, "as text")
    hidden = f'{{"workflow": {number}, "workflow": "joke"}}'
    refused(await cairn.http.post("/contexts", content=hidden, headers=JSON), 422, "as text")
    unfinished = await cairn.http.post("/contexts", content=f"[{number}, ", headers=JSON)
    refused(unfinished, 400)
    assert (await cairn.get("/runs"))["items"] == []


@pytest.mark.parametrize(
    "number", ["1.7976931348623157e308", "-1e-400", "9" * 1_204, f"-{'9' * 1_204}"]
)
async def test_the_largest_numbers_come_back_as_numbers(cairn: Cairn, number: str) -> None:
    response = await start(cairn, number)
    assert response.status_code == 202, response.text
    run = await cairn.ended(read(response))
    assert run["start_event"]["topic"] == (float if "e" in number else int)(number)


# Many values

MOST = 1_000


@pytest.fixture
async def small(database: str) -> AsyncIterator[Cairn]:
    """A service that takes bodies of few values: three, and those of the topic."""
    async with serving(database, max_body_values=MOST + 3) as cairn:
        yield cairn


@pytest.mark.parametrize(
    ("opening", "item", "closing", "values"),
    [
        ("[", "1", "]", 1),
        ("[", "[]", "]", 1),
        ("[", "[ ]", "]", 1),
        ("[", '{"a": 1}', "]", 2),
        ("[", '"[,{\\"["', "]", 1),
        ("{", '"a,": 1', "}", 1),
    ],
)
async def test_a_body_of_as_many_values_as_are_taken_is_taken_and_one_more_is_refused(
    small: Cairn, opening: str, item: str, closing: str, values: int
) -> None:
    items = (MOST - 1) // values
    rest = ['"rest"'] * (MOST - 1 - items * values) if opening == "[" else []
    just = opening + ", ".join([item] * items + rest) + closing
    response = await start(small, just)
    assert response.status_code == 202, response.text
    await small.until(read(response), "completed")
    more = just[:-1] + (', "x": 1' if opening == "{" else ", 1") + closing
    refused(await start(small, more), 413, str(MOST + 3), "CAIRN_MAX_BODY_VALUES")


@pytest.mark.parametrize(
    "text", ["," * 5_000, "[{" * 5_000, '\\"' * 5_000 + "," * 5_000, "\\\\" * 5_001 + "," * 5_000]
)
async def test_text_is_one_value_whatever_is_in_it(small: Cairn, text: str) -> None:
    response = await start(small, f'"{text}"')
    assert response.status_code == 202, response.text
    run = await small.until(read(response), "completed")
    assert len(run["start_event"]["topic"]) >= 5_000


async def test_text_without_an_end_is_not_json_however_many_commas_are_in_it(small: Cairn) -> None:
    for body in (b'["' + b"," * 5_000, b'["' + b"\\," * 5_000, b'"' * 5_001):
        response = await small.http.post("/contexts", content=body, headers=JSON)
        refused(response, 400)
