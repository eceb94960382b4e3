"""Requests that compare checkpoints and runs, and tell how runs belong together."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from cairn.engine.core.snapshot import Delivery, Snapshot
from cairn.engine.values.extended_json import plain
from cairn.engine.values.merging import ABSENT, same
from cairn.service.aligning import Pair, aligned
from cairn.service.patches import Operation, patch
from cairn.store import comparing, footprint, lineage
from cairn.store.comparing import TwoCheckpoints, TwoRuns
from cairn.store.database import Database
from cairn.store.footprint import Footprint
from cairn.store.lineage import Relative
from cairn.store.pages import Page

MOST_PAIRS = 1_000
"""Pairs of a comparison, and checkpoints of each run that are read for it."""


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two runs, side by side.

    Attributes:
        found: the runs.
        pairs: the checkpoints in pairs, at most `MOST_PAIRS`.
        first_divergence: the first pair that differs or lacks a checkpoint, if there is one.
        is_truncated: whether the runs have more checkpoints.
    """

    found: TwoRuns
    pairs: Sequence[Pair]
    first_divergence: Pair | None
    is_truncated: bool


class ComparisonRequests:
    """The requests that compare, and tell how runs belong together. None of them writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def checkpoints(self, checkpoint_id: UUID, against_id: UUID | None) -> TwoCheckpoints:
        """A checkpoint, and the one to compare it with; by default its parent.

        Raises:
            NotFound: there is no such checkpoint.
            Damaged: a checkpoint cannot be read back.
        """
        return await self._database.read(comparing.two_checkpoints, checkpoint_id, against_id)

    async def runs(self, run_id: UUID, other_id: UUID) -> RunComparison:
        """Two runs of one workflow, side by side.

        Raises:
            NotFound: there is no such run.
            WorkflowsDiffer: the runs are of different workflows.
            Damaged: the head of a run cannot be read back.
        """
        found = await self._database.read(comparing.two_runs, run_id, other_id, MOST_PAIRS)
        pairs = aligned(*found.passages)
        return RunComparison(
            found,
            pairs[:MOST_PAIRS],
            next((pair for pair in pairs if not pair.is_equal), None),
            len(pairs) > MOST_PAIRS or any(passage.has_more for passage in found.passages),
        )

    async def lineage(self, run_id: UUID, limit: int, after: str | None) -> Page[Relative]:
        """A page of the tree of reruns that a run belongs to, oldest run first.

        Raises:
            NotFound: there is no such run.
        """
        return await self._database.read(lineage.page, run_id, limit, after)

    async def storage(self, run_id: UUID) -> Footprint:
        """The bytes that a run takes.

        Raises:
            NotFound: there is no such run.
        """
        return await self._database.read(footprint.of, run_id)


def state_patch(before: Snapshot, after: Snapshot) -> list[Operation]:
    """The patch from the state of one snapshot to that of another, both as readers see them."""
    one, other = before.state, after.state
    changed = [
        name for name in {*one, *other} if not same(one.get(name, ABSENT), other.get(name, ABSENT))
    ]
    return patch(
        {name: plain(one[name]) for name in changed if name in one},
        {name: plain(other[name]) for name in changed if name in other},
    )


def became_pending(found: TwoCheckpoints) -> list[Delivery]:
    """The deliveries that are pending at the checkpoint, and were not at the other one."""
    return _without(found.after, found.before, found.shared_below)


def settled(found: TwoCheckpoints) -> list[Delivery]:
    """The deliveries that were pending at the other checkpoint, and are not at this one."""
    return _without(found.before, found.after, found.shared_below)


def _without(one: Snapshot, other: Snapshot, shared_below: int) -> list[Delivery]:
    """The pending deliveries of a snapshot, without those that are pending in the other as well."""

    def is_shared(delivery: Delivery) -> bool:
        twin = other.deliveries.get(delivery.id)
        return (
            twin is not None
            and delivery.id < shared_below
            and (twin.step, twin.event) == (delivery.step, delivery.event)
        )

    return [delivery for delivery in one.pending() if not is_shared(delivery)]
