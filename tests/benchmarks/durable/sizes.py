"""Bytes: what a checkpoint adds to the database, beside 1 MB of state that no step touches."""

from contextlib import suppress
from dataclasses import asdict
from itertools import count, pairwise

from cairn.main import running
from cairn.settings import Settings
from tests.benchmarks import table
from tests.benchmarks.durable import load
from tests.benchmarks.durable.contestants import CONTESTANTS, DATABASES, Database
from tests.benchmarks.durable.load import Load
from tests.benchmarks.durable.servers import WORKFLOWS
from tests.benchmarks.durable.stage import Stage
from tests.benchmarks.durable.steps import workers
from tests.benchmarks.processes import LeftOut
from tests.benchmarks.results import Result, Say

MB = 1_000_000
WINDOW = 1_000  # checkpoints over which the growth is taken: databases grow by pages
AT, AT_QUICK = (10, 10_000), (10, 1_000)
WIDTHS = (1, 1_000)
FEW, MORE = 10, 210  # steps of the runs in which all are compared
LIMIT = 60.0


async def run(stage: Stage, quick: bool, say: Say) -> Result:
    """Of Cairn, at the tenth step and at a late one, narrow and wide; of all, in a loop."""
    where = AT_QUICK if quick else AT
    ours = table.table("cairn, bytes per checkpoint", *(f"at step {at:,}" for at in where))
    data: dict[str, dict[str, float | str]] = {}
    for kind in DATABASES:
        for width in WIDTHS:
            say(f"bytes, {kind}, width {width:,}")
            with stage.database(kind) as url:
                each = await grown(stage, url, width, where)
            ours.add_row(f"{kind}, width {width:,}", *(f"{one:,.0f}" for one in each))
            data[f"{kind}, width {width}"] = dict(zip(map(str, where), each, strict=True))
    names = [contestant.name for contestant in CONTESTANTS]
    beside = table.table("bytes per step of a loop", *names)
    for kind in DATABASES:
        say(f"bytes, {kind}, all")
        found = await _of_all(stage, kind)
        data[kind] = found
        beside.add_row(kind, *(_shown(found[name]) for name in names))
    return Result([ours, beside], data)


async def grown(
    stage: Stage, url: str, width: int, where: tuple[int, ...], window: int = WINDOW
) -> list[float]:
    """Bytes per checkpoint, after each of these places in one run."""
    places = [place for at in where for place in (at, at + window)]
    numbers, seen = count(1), list[tuple[int, int]]()

    def watch() -> None:
        if next(numbers) in places:
            seen.append((stage.size(url), stage.checkpoints(url)))

    per_round = 1 + 2 * width
    rounds = places[-1] // per_round + 1
    load.watchers.append(watch)
    try:
        async with running(Settings(database_url=url, workflows=WORKFLOWS)) as service:
            fields = {"rounds": rounds, "width": width, "size": MB}
            started = await service.runs.start("wide", fields, None, True, None)
            ended = await service.runs.find(started, wait_seconds=LIMIT * 5)
            if ended.status != "completed":
                raise RuntimeError(f"The run is {ended.status}.")
    finally:
        load.watchers.remove(watch)
    return [
        (after[0] - before[0]) / (after[1] - before[1])
        for number, (before, after) in enumerate(pairwise(seen))
        if number % 2 == 0
    ]


async def _of_all(stage: Stage, kind: Database) -> dict[str, float | str]:
    """Bytes per step, from the difference of two runs."""
    found: dict[str, float | str] = {}
    async with workers(stage) as asked:
        for worker in asked:
            with stage.database(kind) as url:
                try:
                    await worker.ask({"do": "open", "url": url}, LIMIT)
                    sizes = []
                    for steps in (FEW, FEW, MORE):  # the first has the tables begin
                        question = {"do": "run", **asdict(Load(steps, size=MB))}
                        await worker.ask(question, LIMIT)
                        sizes.append(stage.size(url))
                    few, more = (after - before for before, after in pairwise(sizes))
                    found[worker.name] = (more - few) / (MORE - FEW)
                except LeftOut as reason:
                    found[worker.name] = str(reason)
                with suppress(LeftOut):
                    await worker.ask({"do": "close"}, LIMIT)
    return found


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,.0f}"
