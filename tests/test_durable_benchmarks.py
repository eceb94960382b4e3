"""The durable benchmarks: they still run, in a very small form, and what they measure is right."""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from tests.api.looking import counts
from tests.benchmarks.durable import listing, memory, over_http, reruns, sizes, steps
from tests.benchmarks.durable.contestants import DATABASES, FLOORS, OURS, ROWS, Database
from tests.benchmarks.durable.load import Load
from tests.benchmarks.durable.servers import serving
from tests.benchmarks.durable.stage import Stage
from tests.benchmarks.measuring import Measured
from tests.benchmarks.processes import LeftOut, Worker

BOUND = 30.0
PYTHON = Path(sys.executable)
HERE = [*(floor.name for floor in FLOORS), OURS.name]


def ignore(_: str) -> None:
    """Nobody looks on."""


@pytest.fixture
def stage(tmp_path: Path, postgresql: str) -> Stage:
    """A stage without the peers."""
    return Stage(tmp_path, postgresql, dict.fromkeys(HERE, PYTHON))


@pytest.fixture(params=DATABASES)
def kind(request: pytest.FixtureRequest) -> Database:
    """Each kind of database."""
    found: Database = request.param
    return found


@pytest.fixture
async def client() -> AsyncIterator[Worker]:
    """The client, in its process."""
    client = Worker("client", PYTHON, "tests.benchmarks.durable.client")
    yield client
    await client.stop()


async def test_steps_are_measured_beside_the_floors(stage: Stage, kind: Database) -> None:
    cell = steps.Cell(kind, Load(steps=3, runs=2, size=2_000, touched=True))
    async with steps.workers(stage) as workers:
        measured = await steps.measure(stage, cell, workers, steps.Effort(2, BOUND, BOUND))
    assert measured.left_out == {}
    assert [len(measured.rounds[name]) for name in HERE] == [2, 2, 2]


async def test_every_step_and_every_rerun_leaves_its_checkpoint(
    stage: Stage, kind: Database
) -> None:
    async with AsyncExitStack() as stack:
        url = stack.enter_context(stage.database(kind))
        worker = Worker(OURS.name, PYTHON, "tests.benchmarks.durable.worker")
        stack.push_async_callback(worker.stop)
        await worker.ask({"do": "open", "url": url}, BOUND)
        await worker.ask({"do": "run", "steps": 7}, BOUND)
        assert stage.checkpoints(url) == 8  # with that of the start event
        await worker.ask({"do": "make", "steps": 3}, BOUND)
        assert stage.checkpoints(url) == 8 + 4
        await worker.ask({"do": "rerun", "steps": 3}, BOUND)
        assert stage.checkpoints(url) == 8 + 4 + 1
        assert stage.size(url) > 10_000


@pytest.mark.parametrize("touched", [True, False])
async def test_the_floor_of_rows_writes_as_many_as_runs_leave(
    stage: Stage, kind: Database, touched: bool
) -> None:
    found = []
    for name in (ROWS.name, OURS.name):
        with stage.database(kind) as url:
            worker = Worker(name, PYTHON, "tests.benchmarks.durable.worker")
            await worker.ask({"do": "open", "url": url}, BOUND)
            await worker.ask({"do": "run", "steps": 3, "runs": 5, "touched": touched}, BOUND)
            await worker.ask({"do": "close"}, BOUND)
            await worker.stop()
            found.append(counts(url.replace("postgresql:", "postgresql+psycopg:")))
    assert found[0] == found[1]
    assert found[0]["checkpoints"] == 5 * 4


async def test_who_cannot_rerun_is_left_out(stage: Stage) -> None:
    async with steps.workers(stage) as workers:
        floor = next(worker for worker in workers if worker.name == ROWS.name)
        cells = [Measured(reruns.Cell("sqlite", 3))]
        await reruns.measure_all(stage, cells, [floor], rounds=1, limit=BOUND, say=ignore)
    assert cells[0].left_out == {ROWS.name: "ValueError: it cannot rerun from a checkpoint"}


@pytest.mark.slow
async def test_runs_are_measured_over_http(stage: Stage, client: Worker) -> None:
    effort = over_http.Effort(rounds=1, seconds=0.1, limit=BOUND)
    (asked,) = await over_http.measure_all(stage, "postgresql", [2], client, effort, ignore)
    assert asked.measured.left_out == {}
    assert [len(asked.measured.rounds[name]) for name in HERE] == [1, 1, 1]
    assert all(len(answers.latencies) >= 2 for answers in asked.answers.values())


async def test_copied_checkpoints_are_listed_as_real_ones_are(stage: Stage, kind: Database) -> None:
    async with AsyncExitStack() as stack:
        listed = await listing.made(stage, stack, kind, size=40, each=10)
        url = f"http://127.0.0.1:{listed.server.port}"
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url))
        found = {
            name: (await http.get(path)).json()["items"] for name, path in listed.paths.items()
        }
    assert {name: len(items) for name, items in found.items()} == {
        "context, rare output": 4,
        "context, step and input": 4 * 8,
        "context, none match": 0,
        "run, rare output": 1,
        "context, from the middle": 9 + 9,
    }


async def test_bytes_are_measured_in_the_middle_of_a_run(stage: Stage, kind: Database) -> None:
    with stage.database(kind) as url:
        each = await sizes.grown(stage, url, width=3, where=(10, 40), window=20)
    assert len(each) == 2


async def test_memory_is_seen_from_none_to_all_of_the_runs(stage: Stage, client: Worker) -> None:
    with stage.database("sqlite") as url:
        async with serving(OURS.name, PYTHON, url) as server:
            seen = await memory.samples(server, 20, "sqlite", ignore)
            question = {"port": server.port, "path": "/runs/unknown", "expected": "completed"}
            with pytest.raises(LeftOut, match="an answer that was not expected"):
                await client.ask({**question, "concurrency": 1, "seconds": 0.1}, BOUND)
    assert len(seen) == memory.SAMPLES + 1
    assert seen[0][0] == 0
    assert seen[-1][0] >= 20
    assert all(used > 10_000_000 for _, used in seen)
