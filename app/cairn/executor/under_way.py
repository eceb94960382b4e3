"""UnderWay: a claimed run, with its journal and its runner."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from cairn.engine import Workflow
from cairn.engine.core.facts import Received, Sent
from cairn.engine.core.records import Status
from cairn.engine.runtime.limits import Limits
from cairn.engine.runtime.publisher import Publisher
from cairn.engine.runtime.runner import Runner
from cairn.executor.observer import StreamObserver
from cairn.store.clock import now
from cairn.store.database import Database
from cairn.store.journal import RunJournal
from cairn.store.run_views import RunView
from cairn.store.runs import Claimed, InboxMessage


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A claimed run, with its journal and its runner.

    Attributes:
        journal: the run's journal.
        runner: carries the run forward.
        delivered: the ids of the messages that the runner has got.
    """

    journal: RunJournal
    runner: Runner
    delivered: set[UUID] = field(default_factory=set)

    def tell(self, messages: Sequence[InboxMessage]) -> None:
        """Give messages to the runner, each once."""
        for message in messages:
            if message.id not in self.delivered:
                self.delivered.add(message.id)
                self.runner.tell(Received(Sent(message.event)), message.id)


def under_way(
    database: Database,
    workflow: Workflow,
    claimed: Claimed,
    limits: Limits,
    committed: Callable[[Status], None],
) -> UnderWay:
    """A claimed run, ready to be driven.

    Args:
        database: the database of the run's journal.
        workflow: the run's workflow.
        claimed: the run's claim.
        limits: the bounds of the run, where the workflow sets none.
        committed: called with the run's status after each commit.
    """
    start = claimed.resume_point.renamed(workflow.graph.renamed)
    if start is not claimed.resume_point:
        claimed = replace(claimed, resume_point=start)
    limits = limits.or_of(workflow)
    end = _latest_end(claimed.run, limits)
    journal = RunJournal(database, claimed, workflow.graph.routes, committed, end)
    left = None if end is None else (end - now()).total_seconds()
    snapshot, head = start.snapshot, start.head
    graph = workflow.graph
    publisher = Publisher(graph, observer=StreamObserver(journal, graph.serializer))
    runner = Runner(
        workflow,
        journal,
        claimed.run.id,
        snapshot,
        head,
        publisher,
        limits,
        left,
        claimed.earlier,
    )
    return UnderWay(journal, runner)


def _latest_end(run: RunView, limits: Limits) -> datetime | None:
    """The moment by which the run must have ended; `None` without a bound."""
    if limits.seconds is None:
        return None
    return (run.started_at or now()) + timedelta(seconds=limits.seconds)
