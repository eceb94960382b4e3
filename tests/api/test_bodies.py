"""Bodies: what they bring is kept as it was sent, or refused."""

from typing import Any

import pytest

from tests.api.asking import Cairn, read, refused

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
