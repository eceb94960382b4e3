"""Each fast path beside the general way: `python -m tests.benchmarks.paths`.

Both are taken in turns, in one process: runs of two steps through the service, without HTTP, each
waited for by a client; and chains of steps in memory.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Annotated

import pytest
import typer
from rich.console import Console

from cairn import Event, StartEvent, StopEvent, Workflow, logs, step
from cairn.main import running
from cairn.service import Service
from cairn.service.rerun_options import NO_CHANGES
from cairn.settings import Settings
from cairn.store.facets import Filters
from tests import general_ways
from tests.benchmarks import table
from tests.databases import fresh, outside, started
from tests.general_ways import GeneralWay

WORKFLOWS = Path(__file__).parent / "durable" / "workflows"
AT_ONCE, CHAIN = 16, 400
BATCHES = 6
"""Batches of runs that share one measurement."""

Work = Callable[[], Awaitable[None]]


class Next(Event):
    """One link of a chain."""

    left: int


class Chain(Workflow):
    """One step after another, in memory."""

    @step
    async def begin(self, ev: StartEvent) -> Next:
        return Next(left=ev.links)

    @step
    async def go_on(self, ev: Next) -> Next | StopEvent:
        return Next(left=ev.left - 1) if ev.left else StopEvent()


def main(rounds: Annotated[int, typer.Option(help="Rounds of each pair.")] = 15) -> None:
    """Show, for each fast path, how many times as long the general way takes."""
    shown = table.table("general way", "of", "database", "general / fast", "quartiles")
    logs.configure("error", "console")

    async def measure() -> None:
        ratios = await beside(chain, general_ways.commit_later, rounds)
        shown.add_row("commit_later", "a chain", "memory", *told(ratios))
        for kind in ("sqlite", "postgresql"):
            with url_of(kind) as url:
                async with running(Settings(database_url=url, workflows=WORKFLOWS)) as service:
                    for way, work, of in await works(service):
                        ratios = await beside(work, way, rounds)
                        shown.add_row(way.__name__, of, kind, *told(ratios))

    asyncio.run(measure())
    Console(highlight=False, width=120).print(shown)


async def works(service: Service) -> list[tuple[GeneralWay, Work, str]]:
    """The general ways of the service, each with work in which its fast path is taken."""
    first = await service.runs.start("counting", {"steps": 2}, None, True, None)
    await service.runs.find(first, 60)
    origin = (await service.checkpoints.of_run(first, Filters(), False, 1, None)).items[0].id

    async def start() -> None:
        run_id = await service.runs.start("counting", {"steps": 2}, None, True, None)
        assert (await service.runs.find(run_id, 60)).status == "completed"

    async def rerun() -> None:
        run_id = await service.reruns.start(origin, NO_CHANGES, None)
        assert (await service.runs.find(run_id, 60)).status == "completed"

    async def runs() -> None:
        await asyncio.gather(*(start() for _ in range(AT_ONCE)))

    async def lone_run() -> None:
        await start()

    async def reruns() -> None:
        await asyncio.gather(*(rerun() for _ in range(AT_ONCE)))

    return [
        (general_ways.begin_later, runs, f"{AT_ONCE} runs at once"),
        (general_ways.read_always, runs, f"{AT_ONCE} runs at once"),
        (general_ways.claim_anew, reruns, f"{AT_ONCE} reruns at once"),
        (general_ways.commit_in_full, lone_run, "one run"),
    ]


async def chain() -> None:
    """A run in memory."""
    await Chain().run(links=CHAIN)


async def beside(work: Work, general: GeneralWay, rounds: int) -> list[float]:
    """For each round, how many times as long the work takes by the general way."""
    ratios = []
    for _ in range(rounds + 1):
        fast = await seconds(work)
        with pytest.MonkeyPatch.context() as patch:
            general(patch)
            ratios.append(await seconds(work) / fast)
    return ratios[1:]  # the first warms up


async def seconds(work: Work) -> float:
    """The time that a batch takes."""
    begun = time.perf_counter()
    for _ in range(BATCHES):
        await work()
    return time.perf_counter() - begun


def told(ratios: list[float]) -> tuple[str, str]:
    """The median and the quartiles, as text."""
    low, _, high = quantiles(ratios, n=4)
    return f"{median(ratios):.2f}", f"{low:.2f} to {high:.2f}"


@contextmanager
def url_of(kind: str) -> Iterator[str]:
    """The URL of an empty database."""
    if kind == "sqlite":
        with TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/cairn.db"
        return
    with outside() as files, started(files) as server, fresh(server) as url:
        yield url


if __name__ == "__main__":
    typer.run(main)
