"""The outcome that every run of a plan must have, computed without a run."""

from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.engine.planned.actions import SEEDS, START
from tests.engine.planned.events import Execution
from tests.engine.planned.plan import LOST, MENDED, TAKEN, Add, Listed, Piece, Plan


@dataclass(frozen=True)
class Expected:
    """The outcome of a plan, which no interleaving of its steps changes."""

    plan: Plan

    @cached_property
    def result(self) -> tuple[list[int], int]:
        """The result: the number in each `Done`, sorted, and the counter."""
        done = {n: count for (name, _, n, _), count in self.ended.items() if name == "gather"}
        return sorted(Counter(done).elements()), self.state.get("count", START)

    @cached_property
    def ended(self) -> Counter[Execution]:
        """The number of times that each step comes to its end, for each event."""
        plan, executions = self.plan, Counter[Execution]({("begin", "Go", 0, 0): 1})
        for n, piece in enumerate(plan.pieces):
            for left in range(piece.loops + 1):
                for name, kind, times in _steps(piece, plan.times[n + 1]):
                    executions[name, kind, n, left] += times
        for n, (row, times) in enumerate(zip(plan.rows, plan.row_times, strict=True)):
            if n == plan.joined:
                executions["join", "EventBatch", n, 2] += len(plan.fits(n))
            else:
                executions.update([("fit", kind, n, item) for kind, item in row.items] * times)
        for n, (each, times) in enumerate(zip(plan.lists, plan.list_times, strict=True)):
            executions.update([*_of_list(n, each)] * times)
        executions.update(("narrow", "Reply", n, 0) for n in plan.replies)
        done = Counter[Execution]()
        for execution, times in executions.items():
            word = self._word(execution)
            if word is not None:
                done["gather", "Done", word, 0] += times
        return +(executions + done)

    def _word(self, execution: Execution) -> int | None:
        """The number in the `Done` of the execution; `None` if the execution sends no `Done`."""
        name, kind, n, left = execution
        match name:
            case "begin":
                return None if self.plan.goes_on[0] else -1
            case "made" | "found":
                return -2
            case "fit" | "join" | "coin":
                return n
            case "spread" | "member" | "mend" | "toss":
                return None
        return n if kind == "Reply" or not (left or self.plan.goes_on[n + 1]) else None

    def started(self, ended: Counter[Execution]) -> Counter[Execution]:
        """The number of attempts that so many ends have taken."""
        return Counter({each: count * self._attempts(each) for each, count in ended.items()})

    def _attempts(self, execution: Execution) -> int:
        name, kind, n, _ = execution
        if name in ("fit", "join"):
            return 1 + self.plan.rows[n].fails
        if name in ("member", "coin"):
            return 1 + self.plan.lists[n].fails
        if kind in ("Work", "Narrow", "Shared"):
            return 1 + self.plan.pieces[n].fails
        return 1

    @cached_property
    def state(self) -> dict[str, Any]:
        """The state in the end, its lists sorted."""
        state: dict[str, Any] = {}
        if self.plan.seeded:
            state |= deepcopy(SEEDS)
        for n, (piece, times) in enumerate(
            zip(self.plan.pieces, self.plan.executions, strict=True)
        ):
            for add in piece.does:
                if isinstance(add, Add):
                    _add(state, n, add, times)
        for n, ask, times in self.plan.asked:
            heard = [n, None if ask.answered == "never" else n]
            state.setdefault("heard", []).extend([heard] * times)
        for n, row in enumerate(self.plan.rows):
            for group in self.plan.fits(n):
                is_loose = row.how == "loose"
                state.setdefault("groups", []).append([n, [] if is_loose else group])
        for each, times in zip(self.plan.lists, self.plan.list_times, strict=True):
            kept = [item for item in each.items if not (each.whole and item == LOST)]
            if kept:
                state.setdefault("made", []).extend(kept * times)
            held = [MENDED if item == LOST else item for item in each.items]
            taken = min(TAKEN, len(held))
            state.setdefault("lists", []).extend(
                [["made", len(held), held] if each.whole else ["found", taken, []]] * times
            )
        return in_order(state)


def in_order(state: dict[str, Any]) -> dict[str, Any]:
    """The state with its lists sorted: the order of their items depends on the interleaving."""
    return {
        key: sorted(value, key=repr) if isinstance(value, list) else value
        for key, value in state.items()
    }


def _steps(piece: Piece, times: int) -> Iterator[tuple[str, str, int]]:
    match piece.route:
        case "work":
            yield "work", "Work", times
        case "narrow":
            yield "narrow", "Narrow", times
        case "named":
            yield "one", "Shared", times
        case "both":
            yield "one", "Shared", times // 2
            yield "other", "Shared", times // 2


def _add(state: dict[str, Any], n: int, add: Add, times: int) -> None:
    weight = str(add.weight)
    match add.key:
        case "count" if add.how == "edit":
            state["edited"] = state.get("edited", 0) + add.weight * times
        case "count":
            state["count"] = state.get("count", START) + add.weight * times
        case "list":
            state.setdefault("list", []).extend([add.weight] * times)
        case "set":
            state.setdefault("set", set()).add(add.weight)
        case "map" | "tally":
            found = state.setdefault(add.key, {})
            found[weight] = found.get(weight, 0) + times
        case "deep":
            state.setdefault("deep", {}).setdefault(str(n), {})[weight] = "there"
        case "plain":
            state[f"plain {n}"] = f"piece {n}"


def _of_list(n: int, listed: Listed) -> Iterator[Execution]:
    items = listed.items
    name, kind, each = ("spread", "Spread", "member") if listed.whole else ("toss", "Toss", "coin")
    yield name, kind, n, 0
    for item in items:
        yield each, each.capitalize(), n, item
        if listed.whole and item == LOST:
            yield "mend", "StepFailedEvent", n, item
    if listed.whole:
        yield "made", "EventBatch", n if items else -1, len(items)
    else:
        yield "found", "EventBatch", n if items else -1, min(TAKEN, len(items))
