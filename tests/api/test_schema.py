"""The OpenAPI schema: it is in the repository, and every answer is as it says."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import schemathesis
from schemathesis import engine
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.python.asgi import ASGIApp, ASGIClient, shutdown_lifespans

from cairn.api.requests import LONGEST_WAIT
from cairn.main import create_app
from cairn.settings import Settings
from tests.api.asking import WORKFLOWS, Cairn, Json
from tests.api.gates import BOUND

ROOT = Path(__file__).parents[2]

HEARING = "POST /runs/{run_id}/events"

FROM_THE_PAST = {
    where: {"dictionary": what, "probability": often}
    for where, what, often in (
        ("path.run_id", "runs", 0.7),
        ("path.context_id", "contexts", 0.7),
        ("path.checkpoint_id", "checkpoints", 0.7),
        ("path.name", "workflows", 0.7),
        ("query.workflow", "workflows", 0.5),
        ("query.context_id", "contexts", 0.5),
        ("query.against", "checkpoints", 0.7),
        ("query.with", "runs", 0.7),
        ("body.workflow", "workflows", 0.7),
        ("body.context_id", "contexts", 0.3),
        ("body.type", "events", 0.7),
    )
}
"""Where an id is asked for, how often it is one that is there."""

HAPPENED = {
    ("GET /workflows", 200),
    ("GET /workflows/{name}", 200),
    ("GET /workflows/{name}", 404),
    ("POST /contexts", 201),
    ("POST /contexts", 409),
    ("POST /contexts", 415),
    ("POST /contexts", 422),
    ("GET /contexts/{context_id}", 200),
    ("GET /contexts/{context_id}", 404),
    ("GET /contexts/{context_id}/checkpoints", 200),
    ("GET /contexts/{context_id}/checkpoints", 422),
    ("POST /runs", 202),
    ("POST /runs", 404),
    ("POST /runs", 422),
    ("GET /runs", 200),
    ("GET /runs", 422),
    ("GET /runs/{run_id}", 200),
    ("GET /runs/{run_id}", 404),
    ("GET /runs/{run_id}/checkpoints", 200),
    ("POST /runs/{run_id}/cancel", 200),
    (HEARING, 202),
    (HEARING, 404),
    (HEARING, 409),
    (HEARING, 422),
    ("GET /checkpoints/{checkpoint_id}", 200),
    ("GET /checkpoints/{checkpoint_id}", 404),
    ("POST /checkpoints/{checkpoint_id}/rerun", 202),
    ("POST /checkpoints/{checkpoint_id}/rerun", 404),
    ("POST /checkpoints/{checkpoint_id}/rerun", 409),
    ("POST /checkpoints/{checkpoint_id}/rerun", 422),
    ("GET /checkpoints/{checkpoint_id}/diff", 200),
    ("GET /checkpoints/{checkpoint_id}/diff", 404),
    ("GET /checkpoints/{checkpoint_id}/diff", 422),
    ("GET /runs/{run_id}/compare", 200),
    ("GET /runs/{run_id}/compare", 404),
    ("GET /runs/{run_id}/compare", 409),
    ("GET /runs/{run_id}/compare", 422),
    ("GET /runs/{run_id}/lineage", 200),
    ("GET /runs/{run_id}/lineage", 422),
    ("GET /runs/{run_id}/storage", 200),
    ("GET /runs/{run_id}/storage", 404),
    ("GET /waiting", 200),
    ("GET /health/ready", 200),
}
"""Answers that must have come: whoever tries only ids that nothing has, tries little."""


async def test_the_schema_in_the_repository_is_the_one_served(cairn: Cairn) -> None:
    written = json.loads((ROOT / "openapi" / "openapi.json").read_text())
    assert await cairn.get("/openapi.json") == written


async def test_the_pages_of_the_documentation_are_served(cairn: Cairn) -> None:
    response = await cairn.http.get("/docs")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")


SEEDS = range(7, 15)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ASGIApp]:
    """The service, kept up by schemathesis in a thread of its own."""
    url = f"sqlite:///{tmp_path / 'cairn.db'}"
    app = create_app(
        Settings(
            database_url=url,
            workflows=WORKFLOWS,
            drain_seconds=0.1,
            allowed_hosts=frozenset({"testserver"}),
        )
    )
    yield cast(ASGIApp, app)
    shutdown_lifespans()


def test_every_answer_is_as_the_schema_says(service: ASGIApp) -> None:
    with ASGIClient(service) as client:
        past = a_past(client)
    answers: set[tuple[str, int]] = set()
    # What is tried is drawn at random: one more draw may find what the one before has not.
    for seed in SEEDS:
        tried = Tried(service, configuration(seed, past))
        assert "\n\n".join(tried.wrong) == ""
        assert tried.phases >= {"examples", "coverage", "fuzzing", "stateful"}
        answers |= tried.answers.keys()
        if answers >= HAPPENED:
            break
    assert HAPPENED - answers == set()


def configuration(seed: int, past: dict[str, list[str]]) -> Json:
    """How schemathesis tries the service: bounded, and with ids of what there is."""
    return {
        "seed": seed,
        "continue-on-failure": True,
        "generation": {"deterministic": True, "max-examples": 40, "database": "none"},
        "cache": {"enabled": False},
        "dictionaries": {name: {"values": values} for name, values in past.items()},
        "parameters": FROM_THE_PAST,
        # What a cursor and the fields of an event may be, the schema cannot say.
        "checks": {
            "positive_data_acceptance": {"expected-statuses": ["2xx", "400", "404", "409", "422"]}
        },
    }


def a_past(client: ASGIClient) -> dict[str, list[str]]:
    """Ids of runs of every kind and of what they left; and names of workflows and events."""
    started: list[tuple[str, Json]] = [
        ("joke", {"topic": "math"}),
        ("failing", {"fault": "logs"}),
        ("approval", {"amount": 7}),
        ("mid_step", {"amount": 7}),
        # Many: whichever of the runs are cancelled first, some still listen.
        *[("voting", {"votes": 1_000_000})] * 10,
        ("scatter", {"width": 3}),
        ("odd_result", {"odd": "not a number"}),
    ]
    past: dict[str, list[str]] = {
        "runs": [],
        "contexts": [],
        "checkpoints": [],
        "workflows": sorted({name for name, _ in started}),
        "events": ["Verdict", "Verdict", "Prepared", "StopEvent"],
    }
    for workflow, start_event in started:
        body: Json = {"workflow": workflow, "start_event": start_event}
        run = at_rest(client, client.post("/runs", json=body).json()["id"])
        past["runs"].append(run["id"])
        past["contexts"].append(run["context_id"])
        left = client.get(f"/runs/{run['id']}/checkpoints").json()["items"]
        past["checkpoints"] += [checkpoint["id"] for checkpoint in left]
    return past


def at_rest(client: ASGIClient, run: str) -> Json:
    """The run, once nothing more happens to it by itself."""
    deadline = time.monotonic() + BOUND
    while True:
        seen: Json = client.get(f"/runs/{run}").json()
        if seen["status"] in {"waiting", "completed", "failed"}:
            return seen
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Tried:
    """What schemathesis has tried: the answers that came, and what was wrong with them."""

    def __init__(self, service: ASGIApp, config: Json) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        self.wrong: list[str] = []
        self.phases: set[str] = set()
        schema = schemathesis.openapi.from_asgi(
            "/openapi.json", service, config=SchemathesisConfig.from_dict(config)
        )
        schema.hook("map_body")(meant)
        schema.hook("map_query")(patient_for_a_moment)
        for event in engine.from_schema(schema).execute():
            match event:
                case events.ScenarioFinished():
                    self.phases.add(event.phase)
                    self._hear(event.recorder)
                case events.NonFatalError():
                    self.wrong.append(f"{event.label}: {event.info.format()}")
                case events.FatalError():
                    raise event.exception

    def _hear(self, scenario: ScenarioRecorder) -> None:
        for case_id, interaction in scenario.interactions.items():
            if interaction.response is not None:
                label = scenario.cases[case_id].value.operation.label
                self.answers[label, interaction.response.status_code] += 1
            for check in scenario.checks.get(case_id, []):
                if check.failure_info is not None:
                    info = check.failure_info
                    self.wrong.append(f"{info.failure}\n{info.code_sample}")


def meant(context: schemathesis.HookContext, body: Any) -> Any:
    """An event that may be heard, where only chance would give it the right fields."""
    operation = context.operation
    if operation and operation.label == HEARING and isinstance(body, dict):
        data = body.get("data")
        if body.get("type") == "Verdict" and isinstance(data, dict):
            # Fields that the event does not have are refused.
            return {**body, "data": {"approved": True, "by": "schemathesis"}}
    return body


def patient_for_a_moment(context: schemathesis.HookContext, query: Any) -> Any:
    """A wait that is as long as it may be, cut short: schemathesis asks for many."""
    wait = query.get("wait") if isinstance(query, dict) else None
    if isinstance(wait, (int, float)) and 0.05 < wait <= LONGEST_WAIT:
        return {**query, "wait": 0.05}
    return query
