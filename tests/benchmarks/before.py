"""Cairn beside itself, as it was at an earlier commit: `python -m tests.benchmarks.before COMMIT`.

Both are asked in turns, in one run, on one machine. The earlier checkout is made in `.bench/`, with
an environment of its own, and its processes run the benchmark's code of that commit.
"""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from statistics import quantiles
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tests.benchmarks import measuring, table
from tests.benchmarks.cells import CELLS
from tests.benchmarks.durable import over_http, reruns, steps
from tests.benchmarks.durable.contestants import DATABASES, OURS, Database
from tests.benchmarks.durable.servers import serving
from tests.benchmarks.durable.stage import Stage, stage
from tests.benchmarks.engine import FULL as ENGINE
from tests.benchmarks.environments import ENVIRONMENTS
from tests.benchmarks.measuring import Measured, take_turns
from tests.benchmarks.processes import ROOT, Worker

NOW, BEFORE = "now", "before"
PARTS = ("engine", "steps", "rerun", "http")
LOADS = (*steps.SMALL, *steps.TOUCHED)


def main(
    commit: Annotated[str, typer.Argument(help="The earlier commit.")],
    parts: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(PARTS)}.")] = None,
    rounds: Annotated[int, typer.Option(help="Rounds of each cell.")] = 15,
) -> None:
    """Show, for each cell, how many times as long Cairn takes as it took at an earlier commit."""
    if unknown := set(parts or ()) - set(PARTS):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: there are {', '.join(PARTS)}.")
    roots = {NOW: ROOT, BEFORE: checkout(commit)}
    console = Console(highlight=False, width=120)
    shown = table.table("cell", "now / before", "quartiles", "now, µs", "before, µs")

    async def fill() -> None:
        async for title, measured in measure_all(roots, parts or PARTS, rounds):
            row(shown, title, measured)
            print(title, measured.cell, measured.ratio(NOW, BEFORE), file=sys.stderr)

    asyncio.run(fill())
    console.print(shown)


def checkout(commit: str) -> Path:
    """The files of a commit, and their environment, made if need be."""
    sha = _git("rev-parse", "--short=12", f"{commit}^{{commit}}").decode().strip()
    root = ENVIRONMENTS / f"cairn-{sha}"
    if not (root / ".venv" / ".ready").exists():
        root.mkdir(parents=True, exist_ok=True)
        subprocess.run(["tar", "-x", "-C", root], input=_git("archive", sha), check=True)
        subprocess.run(["make", "--silent", "setup"], cwd=root, check=True)
    return root


async def measure_all(
    roots: dict[str, Path], parts: Collection[str], rounds: int
) -> AsyncIterator[tuple[str, Measured[Any]]]:
    """Measure the cells of these parts, one after another."""
    if "engine" in parts:
        async for of_engine in _engine(roots, rounds):
            yield "engine", of_engine
    with stage([OURS]) as here:
        for kind in DATABASES:
            if "steps" in parts:
                async for of_steps in _steps(here, roots, kind, rounds):
                    yield f"step, {kind}", of_steps
            if "rerun" in parts:
                for of_reruns in await _reruns(here, roots, kind, rounds):
                    yield f"rerun, {kind}", of_reruns
            if "http" in parts:
                async for of_http in _over_http(here, roots, kind, rounds):
                    yield f"HTTP, {kind}", of_http


async def _engine(roots: dict[str, Path], rounds: int) -> AsyncIterator[Measured[Any]]:
    effort = replace(ENGINE, rounds=rounds, share=60)
    async with _workers(roots, "tests.benchmarks.worker") as workers:
        async for measured in measuring.measure(CELLS, workers, effort):
            yield measured


async def _steps(
    here: Stage, roots: dict[str, Path], kind: Database, rounds: int
) -> AsyncIterator[Measured[Any]]:
    effort = replace(steps.FULL, rounds=rounds, share=60)
    async with _workers(roots, "tests.benchmarks.durable.worker") as workers:
        for load in LOADS:
            yield await steps.measure(here, steps.Cell(kind, load), workers, effort)


async def _reruns(
    here: Stage, roots: dict[str, Path], kind: Database, rounds: int
) -> Sequence[Measured[Any]]:
    cells = [Measured(reruns.Cell(kind, size)) for size in reruns.SIZES[:2]]
    async with _workers(roots, "tests.benchmarks.durable.worker") as workers:
        await reruns.measure_all(here, cells, workers, rounds * 4, 120, lambda _: None)
    return cells


async def _over_http(
    here: Stage, roots: dict[str, Path], kind: Database, rounds: int
) -> AsyncIterator[Measured[Any]]:
    effort = over_http.FULL
    async with AsyncExitStack() as stack:
        client = Worker("client", Path(sys.executable), "tests.benchmarks.durable.client")
        stack.push_async_callback(client.stop)
        servers = {}
        for name, root in roots.items():
            url = stack.enter_context(here.database(kind))
            served = serving(OURS.name, _python(root), url, root)
            servers[name] = await stack.enter_async_context(served)
        for concurrency in over_http.CONCURRENCY:
            measured = Measured(over_http.Cell(kind, concurrency))
            asks = {
                name: over_http.ask(server, concurrency, client, effort, over_http.Answers())
                for name, server in servers.items()
            }
            for ask in asks.values():
                await ask()  # to warm up
            await take_turns(measured, asks, rounds, share=float("inf"))
            yield measured


def row(shown: Table, title: str, measured: Measured[Any]) -> None:
    """Add what was measured: the median of the rounds' ratios, and the half of them around it."""
    pairs = zip(measured.rounds.get(NOW, []), measured.rounds.get(BEFORE, []), strict=False)
    ratios = [now / before for now, before in pairs]
    low, _, high = quantiles(ratios, n=4) if len(ratios) > 1 else (float("nan"),) * 3
    ratio = measured.ratio(NOW, BEFORE)
    shown.add_row(
        f"{title}, {measured.cell}",
        "left out" if ratio is None else f"{ratio:.3f}",
        f"{low:.3f} to {high:.3f}",
        table.number(measured.microseconds(NOW)),
        table.number(measured.microseconds(BEFORE)),
    )


@asynccontextmanager
async def _workers(roots: dict[str, Path], module: str) -> AsyncIterator[list[Worker]]:
    async with AsyncExitStack() as stack:
        made = []
        for name, root in roots.items():
            worker = Worker(name, _python(root), module, True, root, contestant=OURS.name)
            stack.push_async_callback(worker.stop)
            made.append(worker)
        yield made


def _python(root: Path) -> Path:
    return root / ".venv" / "bin" / "python"


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout


if __name__ == "__main__":
    typer.run(main)
