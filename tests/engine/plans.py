"""Plans of workflows: what their steps do, and what goes from one to another.

A plan is flat, each piece naming the one that sends it: so it shrinks well.

What a run of a plan comes to does not depend on the order in which its steps happen to go on:
counters add, lists are compared as bags, sets and mappings unite, a plain value has writers who
all write the same. So every interleaving must give it, and a rerun may sleep otherwise than the
run did. Only `collect_events` has an order of its own, that of sending; see `Row`.
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
"""How many are taken of a list that is not taken whole."""

LOST, MENDED = 2, 12
"""What fails for good where it is in a list, and what another step makes of that."""


@dataclass(frozen=True, slots=True)
class Add:
    """Read what is under a key, stay for a while, and add to it."""

    key: Key
    how: How
    weight: int
    ticks: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Wait for an answer: early or late, from outside or from another step, or none in time.

    One that is `timed` has a time, too, though more than enough.
    """

    answered: Answered
    ticks: int
    timed: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of work: an event, and what the step does that takes it.

    Attributes:
        parent: who sends it: 0 is the first step, and 1 the first piece.
        goes: whether it is sent before its parent acts (which may wait then, so that it goes out
            from a step that is still running), after that, or is returned.
        route: the step that it goes to: one that takes several at a time, one that does not, two
            steps at once, or one of those two, named.
        copies: how many equal ones are sent.
        rounds: how often the step gives it back to itself.
        fails: how many attempts fail, after all that they did.
        quiet: whether it sends the word that it is done, and returns `None`.
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
        """The number of rounds.

        A returned event goes to all steps that take it, never to one named: two steps at once would
        be four after one round.
        """
        return self.rounds if self.route in ("work", "narrow") else 0


@dataclass(frozen=True, slots=True)
class Row:
    """Events sent in a row, which are collected in groups of a pattern; the surplus is left.

    A step that collects first thing does so in the order of sending, whatever else happens: then
    the groups are known one by one. One that is `loose` sleeps first: then their number is. Those
    of a `joined` row start a step with several parameters, and pair in the order of sending, too;
    these are not told apart by row, so only the first such row is one.
    """

    parent: int
    items: tuple[tuple[Kind, int], ...]
    pattern: tuple[Kind, ...]
    how: Order
    fails: int
    ticks: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A returned list: each event is worked on, and the results are taken together.

    The results are the `whole` in the order of the list, or the first few, whichever these are.
    """

    parent: int
    items: tuple[int, ...]
    whole: bool
    fails: int
    ticks: int


@dataclass(frozen=True)
class Plan:
    """A workflow; `seeded` is whether its first step sets lists, sets and mappings."""

    pieces: tuple[Piece, ...]
    rows: tuple[Row, ...]
    lists: tuple[Listed, ...]
    seeded: bool

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """Of each piece, who sends it: one before it."""
        return tuple(piece.parent % (n + 1) for n, piece in enumerate(self.pieces))

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """What each sends: the first step, then the pieces."""
        return tuple(
            tuple(n for n, parent in enumerate(self.parents) if parent == sender)
            for sender in range(len(self.pieces) + 1)
        )

    @cached_property
    def rows_of(self) -> tuple[tuple[int, ...], ...]:
        """The rows that each sends."""
        return self._sent_by(self.rows)

    @cached_property
    def lists_of(self) -> tuple[tuple[int, ...], ...]:
        """The lists that each sends for."""
        return self._sent_by(self.lists)

    def _sent_by(self, sent: Sequence[Row | Listed]) -> tuple[tuple[int, ...], ...]:
        senders = len(self.pieces) + 1
        return tuple(
            tuple(n for n, each in enumerate(sent) if each.parent % senders == sender)
            for sender in range(senders)
        )

    @cached_property
    def joined(self) -> int | None:
        """The row that is joined."""
        return next((n for n, row in enumerate(self.rows) if row.how == "joined"), None)

    def fits(self, n: int) -> list[list[int]]:
        """The groups that the row comes to, however often it is sent."""
        row = self.rows[n]
        pattern: Sequence[Kind] = ("Nut", "Bolt") if n == self.joined else row.pattern
        return list(_first_in_first_out(row.items * self.row_times[n], pattern))

    @cached_property
    def times(self) -> tuple[int, ...]:
        """How often each sends what it sends: the first step, then the pieces."""
        times = [1]
        for piece, parent in zip(self.pieces, self.parents, strict=True):
            steps = 2 if piece.route == "both" else 1
            times.append(times[parent] * piece.copies * steps)
        return tuple(times)

    @cached_property
    def row_times(self) -> tuple[int, ...]:
        """How often each row is sent."""
        return tuple(self.times[row.parent % len(self.times)] for row in self.rows)

    @cached_property
    def list_times(self) -> tuple[int, ...]:
        """How often each list is sent for."""
        return tuple(self.times[each.parent % len(self.times)] for each in self.lists)

    @cached_property
    def executions(self) -> tuple[int, ...]:
        """How many executions of a step each piece comes to."""
        return tuple(
            times * (piece.loops + 1)
            for piece, times in zip(self.pieces, self.times[1:], strict=True)
        )

    @cached_property
    def size(self) -> int:
        """How many executions the whole comes to, but for those of the first and the last step."""
        rows = zip(self.rows, self.row_times, strict=True)
        lists = zip(self.lists, self.list_times, strict=True)
        return (
            sum(self.executions)
            + sum(len(row.items) * times for row, times in rows)
            + sum((len(each.items) + 2) * times for each, times in lists)
        )

    @cached_property
    def asked(self) -> tuple[tuple[int, Ask, int], ...]:
        """What pieces wait for, and how often."""
        return tuple(
            (n, action, times)
            for n, (piece, times) in enumerate(zip(self.pieces, self.executions, strict=True))
            for action in piece.does
            if isinstance(action, Ask)
        )

    def is_last(self, n: int, ask: Ask) -> bool:
        """True if no later step waits for the answers to the piece: none is left over."""
        asks = [action for action in self.pieces[n].does if isinstance(action, Ask)]
        return self.executions[n] == 1 and asks[-1] is ask

    @cached_property
    def replies(self) -> tuple[int, ...]:
        """The pieces that are answered from inside, once for each answer."""
        return tuple(
            n for n, ask, times in self.asked if ask.answered == "inside" for _ in range(times)
        )

    @cached_property
    def goes_on(self) -> tuple[bool, ...]:
        """For the first step and each piece's, whether the step sends events as it completes.

        A step without events sends word that it is done. The last step waits for every such word,
        and so for all steps.
        """
        # What is joined may find nothing to be joined with, and leads nowhere then.
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
        """How many such words there are."""
        done = sum(
            times for times, goes_on in zip(self.times, self.goes_on, strict=True) if not goes_on
        )
        for n, (row, times) in enumerate(zip(self.rows, self.row_times, strict=True)):
            done += len(self.fits(n)) if n == self.joined else len(row.items) * times
        for each, times in zip(self.lists, self.list_times, strict=True):
            done += times if each.whole else (1 + len(each.items)) * times
        return done + len(self.replies)

    def no_larger_than(self, size: int) -> "Plan":
        """The plan, without what would make it larger."""
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
    """What is collected in groups of the pattern; the surplus stays for the next time."""
    waiting: dict[Kind, list[int]] = {"Nut": [], "Bolt": []}
    for kind, value in items:
        waiting[kind].append(value)
        if all(len(waiting[each]) >= pattern.count(each) for each in set(pattern)):
            yield [waiting[each].pop(0) for each in pattern]
