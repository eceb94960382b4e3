"""The goals beside what was measured: met, or not."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.benchmarks import table
from tests.benchmarks.durable.contestants import FLOORS, OURS, PEERS
from tests.benchmarks.durable.memory import SAMPLES
from tests.benchmarks.results import Result

FASTER_ALONE, FASTER_MANY, FASTER_HTTP = 4.0, 10.0, 10.0
ABOVE_FLOOR = 2.0
BYTES = 2_000
FLAT = 1.5
"""By how much the largest may differ from the smallest and still be called flat: there is noise."""

Row = tuple[str, str, str, bool]


def compared(results: Mapping[str, Result]) -> Result:
    """A table of the goals that something was measured for."""
    rows = [row for name, of in OF.items() if name in results for row in of(results[name].data)]
    shown = table.table("goal", "wanted", "measured", "met")
    for goal, wanted, measured, is_met in rows:
        shown.add_row(goal, wanted, measured, "yes" if is_met else "no")
    return Result([shown], {goal: is_met for goal, _, _, is_met in rows})


def _steps(data: dict[str, Any]) -> Iterator[Row]:
    for cell in data["cells"]:
        if cell["size"] != 1_000 or cell["touched"] or cell["runs"] not in (1, 64):
            continue
        kind = cell["database"]
        wanted = FASTER_ALONE if cell["runs"] == 1 else FASTER_MANY
        runs = "one run" if cell["runs"] == 1 else f"{cell['runs']} runs"
        if (faster := _faster(cell)) is not None:
            yield _at_least(f"step, {kind}, {runs}: fastest peer / cairn", wanted, faster)
        for floor in FLOORS if cell["runs"] == 1 else ():
            above = f"{OURS.name} / {floor.name}"
            if (ratio := cell["ratios"].get(above)) is not None:
                yield _at_most(f"step, {kind}, {runs}: {above}", ABOVE_FLOOR, ratio)


def _http(data: dict[str, Any]) -> Iterator[Row]:
    for cell in data["cells"]:
        if cell["concurrency"] == 1:
            continue
        if (faster := _faster(cell)) is not None:
            goal = f"HTTP, {cell['database']}, {cell['concurrency']} at once: fastest peer / cairn"
            yield _at_least(goal, FASTER_HTTP, faster)


def _listing(data: dict[str, Any]) -> Iterator[Row]:
    for name, sizes in data.items():
        p99s = [found["p99"] for found in sizes.values()]
        yield _at_most(f"list, {name}: p99, most / fewest", FLAT, p99s[-1] / p99s[0])


def _reruns(data: dict[str, Any]) -> Iterator[Row]:
    for kind in dict.fromkeys(cell["database"] for cell in data["cells"]):
        cells = [cell for cell in data["cells"] if cell["database"] == kind]
        times = [c["microseconds"][OURS.name] for c in cells if OURS.name in c["microseconds"]]
        if times:
            yield _at_most(f"rerun, {kind}: after most / fewest", FLAT, times[-1] / times[0])


def _bytes(data: dict[str, Any]) -> Iterator[Row]:
    for name, found in data.items():
        if "width" in name:
            most = max(found.values())
            yield f"bytes, {name}", f"<= {BYTES:,}", f"{most:,.0f}", most <= BYTES


def _memory(data: dict[str, Any]) -> Iterator[Row]:
    for kind, seen in data["runs_and_bytes"].items():
        if len(seen) > 2:  # what it takes until it is warm does not count
            ratio = seen[-1][1] / seen[1][1]
            goal = f"memory, {kind}: {seen[-1][0]:,} / {seen[1][0]:,} runs"
            goal, wanted, measured, is_flat = _at_most(goal, 1.1, ratio)
            yield goal, wanted, measured, is_flat and len(seen) == SAMPLES + 1


def _faster(cell: Mapping[str, Any]) -> float | None:
    """How many times as long the fastest peer takes, as the tables have it: round by round."""
    ratios = [cell["ratios"].get(f"{peer.name} / {OURS.name}") for peer in PEERS]
    return min((ratio for ratio in ratios if ratio is not None), default=None)


def _at_least(goal: str, wanted: float, measured: float) -> Row:
    return goal, f">= {wanted:g}", table.number(measured), measured >= wanted


def _at_most(goal: str, wanted: float, measured: float) -> Row:
    return goal, f"<= {wanted:g}", table.number(measured), measured <= wanted


OF = {
    "steps": _steps,
    "http": _http,
    "listing": _listing,
    "rerun": _reruns,
    "bytes": _bytes,
    "memory": _memory,
}
