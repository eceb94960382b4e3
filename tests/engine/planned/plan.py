"""Plans of workflows: the actions of steps, and the events that go from step to step.

A plan is flat: each piece names its sender, so that a plan shrinks well.

The outcome of a plan does not depend on the order in which its steps happen to go on: counters add,
lists are compared as bags, sets and mappings unite, and all writers of a plain value write the same
value. So every interleaving must give the same outcome, and a rerun may pause where its source did
not. Only `collect_events` has an order, the order of sending; see `Row`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

Key = Literal["count", "list", "set", "map", "deep", "plain", "tally"]
How = Literal["set", "in place", "edit"]
Answered = Literal["early", "late", "inside", "never"]
Goes = Literal["first", "last", "returned"]
Route = Literal["work", "narrow", "both", "named"]
Kind = Literal["Nut", "Bolt"]
Order = Literal["in order", "loose", "joined"]

TAKEN = 2
"""The number of results collected from a list that is not taken whole."""

LOST, MENDED = 2, 12
"""The item of a list that fails for good, and the item that the handler puts in its place."""


@dataclass(frozen=True, slots=True)
class Add:
    """Read the value under a key, pause, and add to the value."""

    key: Key
    how: How
    weight: int
    ticks: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Wait for an answer.

    Attributes:
        answered: whether the answer comes from outside before the question, from outside after
            the question, from another step, or never, so that the wait times out.
        timed: whether a wait that is answered has a timeout, longer than any run.
    """

    answered: Answered
    ticks: int
    timed: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of work: an event, and the actions of the step that takes the event.

    Attributes:
        parent: the sender: 0 is the first step, and 1 the first piece.
        goes: whether the event is sent before its parent acts (a parent that waits then has sent
            the event from a step that is still running), sent after that, or returned.
        route: the step that takes the event: a step with several workers, a step with one, two
            steps at once, or one of those two, named.
        copies: the number of equal events sent.
        rounds: the number of times that the step gives the event back to itself.
        fails: the number of attempts that fail, each after all its actions.
        quiet: whether the step sends its `Done`, and returns `None`.
    """

    parent: int
    goes: Goes
    route: Route
    copies: int
    rounds: int
    fails: int
    ticks: int
    quiet: bool
    does: tuple[Add | Ask, ...]

    @property
    def loops(self) -> int:
        """The number of rounds, where the route allows any.

        A returned event goes to every step that takes its type, never to a named step; and two
        steps at once would be four after one round.
        """
        return self.rounds if self.route in ("work", "narrow") else 0


@dataclass(frozen=True, slots=True)
class Row:
    """Events sent in a row, and collected in groups of a pattern; the surplus is left.

    Attributes:
        how: `in order`: the step collects before any pause, so in the order of sending, and the
            content of each group is known. `loose`: the step pauses first, and only the number of
            groups is known. `joined`: the events start a step with several parameters, and pair
            in the order of sending. Joined events are not told apart by row: only the first such
            row of a plan is joined.
    """

    parent: int
    items: tuple[tuple[Kind, int], ...]
    pattern: tuple[Kind, ...]
    how: Order
    fails: int
    ticks: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A returned list: a step works on each event, and another collects the results.

    Attributes:
        whole: whether all results are collected, in the order of the list, or the first few to
            arrive.
    """

    parent: int
    items: tuple[int, ...]
    whole: bool
    fails: int
    ticks: int


@dataclass(frozen=True)
class Plan:
    """A workflow; the first step of a `seeded` plan sets lists, sets and mappings."""

    pieces: tuple[Piece, ...]
    rows: tuple[Row, ...]
    lists: tuple[Listed, ...]
    seeded: bool

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """The sender of each piece: the first step, or an earlier piece."""
        return tuple(piece.parent % (n + 1) for n, piece in enumerate(self.pieces))

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """The pieces that each sender sends: the first step, then the pieces."""
        return tuple(
            tuple(n for n, parent in enumerate(self.parents) if parent == sender)
            for sender in range(len(self.pieces) + 1)
        )

    @cached_property
    def rows_of(self) -> tuple[tuple[int, ...], ...]:
        """The rows that each sender sends."""
        return self._sent_by(self.rows)

    @cached_property
    def lists_of(self) -> tuple[tuple[int, ...], ...]:
        """The lists that each sender starts."""
        return self._sent_by(self.lists)

    def _sent_by(self, sent: Sequence[Row | Listed]) -> tuple[tuple[int, ...], ...]:
        senders = len(self.pieces) + 1
        return tuple(
            tuple(n for n, each in enumerate(sent) if each.parent % senders == sender)
            for sender in range(senders)
        )

    @cached_property
    def joined(self) -> int | None:
        """The number of the joined row; `None` if no row is joined."""
        return next((n for n, row in enumerate(self.rows) if row.how == "joined"), None)

    def fits(self, n: int) -> list[list[int]]:
        """The groups of the row's events, over every time that the row is sent."""
        row = self.rows[n]
        pattern: Sequence[Kind] = ("Nut", "Bolt") if n == self.joined else row.pattern
        return list(_first_in_first_out(row.items * self.row_times[n], pattern))

    @cached_property
    def times(self) -> tuple[int, ...]:
        """The number of times that each sender sends: the first step, then the pieces."""
        times = [1]
        for piece, parent in zip(self.pieces, self.parents, strict=True):
            steps = 2 if piece.route == "both" else 1
            times.append(times[parent] * piece.copies * steps)
        return tuple(times)

    @cached_property
    def row_times(self) -> tuple[int, ...]:
        """The number of times that each row is sent."""
        return tuple(self.times[row.parent % len(self.times)] for row in self.rows)

    @cached_property
    def list_times(self) -> tuple[int, ...]:
        """The number of times that each list is started."""
        return tuple(self.times[each.parent % len(self.times)] for each in self.lists)

    @cached_property
    def executions(self) -> tuple[int, ...]:
        """The number of executions of a step that each piece comes to."""
        return tuple(
            times * (piece.loops + 1)
            for piece, times in zip(self.pieces, self.times[1:], strict=True)
        )

    @cached_property
    def size(self) -> int:
        """The number of executions of all steps but the first and the last."""
        rows = zip(self.rows, self.row_times, strict=True)
        lists = zip(self.lists, self.list_times, strict=True)
        return (
            sum(self.executions)
            + sum(len(row.items) * times for row, times in rows)
            + sum((len(each.items) + 2) * times for each, times in lists)
        )

    @cached_property
    def asked(self) -> tuple[tuple[int, Ask, int], ...]:
        """The waits: the number of the piece, the wait, and the number of times."""
        return tuple(
            (n, action, times)
            for n, (piece, times) in enumerate(zip(self.pieces, self.executions, strict=True))
            for action in piece.does
            if isinstance(action, Ask)
        )

    def is_last(self, n: int, ask: Ask) -> bool:
        """True if this wait is surely the last for answers to the piece, so that none is left."""
        asks = [action for action in self.pieces[n].does if isinstance(action, Ask)]
        return self.executions[n] == 1 and asks[-1] is ask

    @cached_property
    def replies(self) -> tuple[int, ...]:
        """The pieces that another step answers, once for each answer."""
        return tuple(
            n for n, ask, times in self.asked if ask.answered == "inside" for _ in range(times)
        )

    @cached_property
    def goes_on(self) -> tuple[bool, ...]:
        """True where an event goes out as the step completes: the first step, then the pieces.

        A step from which no event goes out sends a `Done`. The last step waits for every `Done`,
        and so for all steps.
        """
        # An event of a joined row may find no partner, and leads nowhere then.
        sends = [
            bool(set(rows) - {self.joined} or lists)
            or any(self.pieces[n].goes != "first" for n in children)
            for rows, lists, children in zip(
                self.rows_of, self.lists_of, self.children, strict=True
            )
        ]
        # The first step waits for nothing: all that it sends goes out as it completes.
        return sends[0] or bool(self.children[0] or self.replies), *sends[1:]

    @cached_property
    def words(self) -> int:
        """The number of `Done` events."""
        done = sum(
            times for times, goes_on in zip(self.times, self.goes_on, strict=True) if not goes_on
        )
        for n, (row, times) in enumerate(zip(self.rows, self.row_times, strict=True)):
            done += len(self.fits(n)) if n == self.joined else len(row.items) * times
        for each, times in zip(self.lists, self.list_times, strict=True):
            done += times if each.whole else (1 + len(each.items)) * times
        return done + len(self.replies)

    def no_larger_than(self, size: int) -> "Plan":
        """The plan, without the parts that would exceed the size."""
        plan = Plan((), (), (), self.seeded)
        for piece in self.pieces:
            for fewer in (piece, replace(piece, rounds=0), replace(piece, copies=1, rounds=0)):
                larger = replace(plan, pieces=(*plan.pieces, fewer))
                if larger.size <= size:
                    plan = larger
                    break
        for row in self.rows:
            larger = replace(plan, rows=(*plan.rows, row))
            plan = larger if larger.size <= size else plan
        for each in self.lists:
            larger = replace(plan, lists=(*plan.lists, each))
            plan = larger if larger.size <= size else plan
        return plan


def _first_in_first_out(
    items: Sequence[tuple[Kind, int]], pattern: Sequence[Kind]
) -> Iterator[list[int]]:
    """The groups of the pattern; the surplus stays for the next group."""
    waiting: dict[Kind, list[int]] = {"Nut": [], "Bolt": []}
    for kind, value in items:
        waiting[kind].append(value)
        if all(len(waiting[each]) >= pattern.count(each) for each in set(pattern)):
            yield [waiting[each].pop(0) for each in pattern]
