"""The benchmarks: that their runs are right, and what is made of their times."""

import io
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rich.console import Console

from tests.benchmarks import table
from tests.benchmarks.cells import SHAPES, Cell
from tests.benchmarks.contestants import FLOOR, OURS, PEERS, Contestant
from tests.benchmarks.measuring import Effort, Measured, measure
from tests.benchmarks.processes import LeftOut, Worker
from tests.benchmarks.worker import runs_of, seconds

SMALL = [Cell(shape, size) for shape in SHAPES for size in (2, 10)]

PEER = PEERS[0].name


@pytest.mark.parametrize("contestant", [FLOOR, OURS], ids=lambda c: c.name)
@pytest.mark.parametrize("cell", SMALL, ids=str)
async def test_every_run_comes_to_what_it_must(contestant: Contestant, cell: Cell) -> None:
    assert await seconds(runs_of(contestant, cell), cell, runs=3) > 0


async def test_a_run_that_comes_to_something_else_has_no_time() -> None:
    runs_of_another = runs_of(FLOOR, Cell("chain", 3))
    with pytest.raises(ValueError, match="a chain of 2 came to 3 instead of 2"):
        await seconds(runs_of_another, Cell("chain", 2), runs=1)


@pytest.mark.parametrize("cell", SMALL, ids=str)
async def test_ours_are_measured_with_a_checkpoint_for_every_step(cell: Cell) -> None:
    handler = runs_of(OURS, cell)()
    await handler
    assert len(handler.ctx.checkpoints) == cell.steps + 1  # type: ignore[attr-defined]


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    """The floor, in its process."""
    worker = Worker(FLOOR.name, Path(sys.executable))
    yield worker
    await worker.stop()


async def test_a_contestant_that_takes_too_long_is_left_out_and_asked_again(worker: Worker) -> None:
    with pytest.raises(LeftOut, match=r"takes more than 0\.1 s"):
        await worker.seconds(Cell("loop", 10_000_000), runs=1, limit=0.1)
    assert await worker.seconds(Cell("loop", 2), runs=1, limit=30) > 0


async def test_a_peer_that_is_not_there_does_not_stop_the_others(worker: Worker) -> None:
    effort = Effort(rounds=4, steps=10, share=30, limit=30)
    cells = [Cell("loop", 2), Cell("loop", 4)]
    small, larger = [m async for m in measure(cells, [worker, Worker(PEER, None)], effort)]
    assert len(small.rounds[FLOOR.name]) == len(larger.rounds[FLOOR.name]) == 4
    assert small.left_out == larger.left_out == {PEER: "could not be installed"}


async def test_what_is_bound_to_take_too_long_is_not_tried(worker: Worker) -> None:
    effort = Effort(rounds=1, steps=1, share=30, limit=30)
    cells = [Cell("loop", 2), Cell("loop", 10**12)]
    _, larger = [m async for m in measure(cells, [worker], effort)]
    assert "a loop of 2 took" in larger.left_out[FLOOR.name]


def test_a_ratio_compares_what_was_measured_within_one_moment() -> None:
    noisy = Measured(Cell("chain", 2), {OURS.name: [20, 200, 30], FLOOR.name: [10, 100, 10]})
    assert noisy.ratio(OURS.name, FLOOR.name) == 2
    assert noisy.microseconds(OURS.name) == 30
    assert noisy.ratio(PEER, OURS.name) is None


def test_the_tables_show_ratios_times_and_what_is_left_out() -> None:
    console = Console(file=io.StringIO(), width=120)
    times = {FLOOR.name: [10.0], OURS.name: [25.0], PEERS[1].name: [12_345.0]}
    measured = Measured(Cell("fan_out", 1_000), times, {PEER: "takes more than 5 s"})
    for part in table.of_engine([measured]):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    rows = [[cell.strip() for cell in line.split("|")] for line in lines if "fan-out" in line]
    assert rows[0][1:-1] == ["fan-out of 1,000", "2.50", "left out", "494"]
    assert rows[1][1:-1] == ["fan-out of 1,000", "10.0", "25.0", "left out", "12,345"]
    assert rows[2] == [f"Left out: {PEER}, fan-out of 1,000: takes more than 5 s."]
