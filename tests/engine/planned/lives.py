"""Lives of a plan's run, whole or rerun from a checkpoint, and the checks of every life."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from cairn import Checkpoint, Context, Event, Handler
from cairn.engine.core.records import Record
from cairn.engine.library.held_context import held
from cairn.engine.library.rerun import InFlight, When
from tests.engine.planned.events import Answer, Broken, Execution, recorded
from tests.engine.planned.expected import Expected, in_order
from tests.engine.planned.plan import Plan
from tests.engine.planned.workflow import Planned

Told = tuple[float, int]
"""An answer from outside: the time in seconds, and the number of the piece."""


@dataclass(frozen=True)
class Life:
    """A run that has ended, or the part of a run after a checkpoint or a crash."""

    workflow: Planned
    records: Sequence[Record]
    ctx: Context | None = None

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """The checkpoints of the context: a rerun can begin at each but the last."""
        assert self.ctx is not None, "it was carried by a service"
        return self.ctx.checkpoints

    @property
    def result(self) -> Any:
        """The result in the StopEvent."""
        stopped = self.records[-1].snapshot.stopped
        assert stopped is not None, "it has not ended"
        return self.workflow.graph.serializer.open(stopped).get("result")

    @property
    def state(self) -> dict[str, Any]:
        """The state in the end, its lists sorted."""
        decode = self.workflow.graph.serializer.decode
        state = self.records[-1].snapshot.state
        return in_order({key: decode(value) for key, value in state.items()})


def completed(records: Sequence[Record]) -> Counter[Execution]:
    """Count the executions that these checkpoints record."""
    return Counter(each for each in map(recorded, records) if each is not None)


def check(expected: Expected, life: Life, before: Sequence[Record], where: str) -> None:
    """Check the outcome, and that each step was executed as often as its event was pending."""
    check_outcome(expected, life, before, where)
    workflow = life.workflow
    assert completed(life.records) == workflow.ended, where
    assert workflow.started == expected.started(workflow.ended), where


def check_outcome(expected: Expected, life: Life, before: Sequence[Record], where: str) -> None:
    """Check the result, the state and the completed steps against the plan.

    Steps whose results are adopted complete without an execution.
    """
    assert life.result == expected.result, where
    assert life.state == expected.state, where
    assert completed(before) + completed(life.records) == expected.ended, where


def answers(plan: Plan) -> list[Told]:
    """The answers from outside, by time: those at 0 come before the run begins."""
    told: list[Told] = []
    for n, ask, times in plan.asked:
        if ask.answered in ("early", "late"):
            told += [(0.0 if ask.answered == "early" else ask.ticks + 1.0, n)] * times
    return sorted(told)


def unread(plan: Plan, records: Sequence[Record], pace: int) -> list[Told]:
    """The answers that no record among these has heard.

    At an odd pace all answers are there at once; at an even pace each comes after its delay.
    """
    heard = Counter(
        r.output_event.data["n"]
        for r in records
        if r.output_event is not None and r.output_event.type == "Answer" and r.input_event is None
    )
    left: list[Told] = []
    for when, n in answers(plan):
        if heard[n]:
            heard[n] -= 1
        else:
            left.append((0.0 if pace % 2 else when + pace % 3, n))
    return sorted(left)


async def run(plan: Plan) -> Life:
    """Run the plan whole, at the pace of the plan."""
    workflow = Planned(plan)
    return await _accompanied(workflow, workflow.run(), answers(plan))


async def rerun(
    plan: Plan,
    checkpoint: Checkpoint,
    before: Sequence[Record],
    pace: int,
    in_flight: InFlight = "rerun",
    output_event: Event | None = None,
    when: When = "after",
) -> Life:
    """Rerun the plan from the checkpoint, at another pace."""
    workflow = Planned(plan, pace)
    handler = workflow.run_from(
        checkpoint, in_flight=in_flight, output_event=output_event, when=when
    )
    return await _accompanied(workflow, handler, unread(plan, before, pace))


async def failed(plan: Plan, piece: int) -> Life:
    """Run the plan until the step that works on the piece fails, and fails the run."""
    workflow = Planned(plan, breaks=piece)
    handler = workflow.run()
    with pytest.raises(Broken):
        await _accompanied(workflow, handler, answers(plan))
    return Life(workflow, held(handler.ctx).runs.journal.records, handler.ctx)


async def _accompanied(workflow: Planned, handler: Handler, told: list[Told]) -> Life:
    for when, n in told:
        if not when:
            handler.send_event(Answer(n=n))
    teller = asyncio.create_task(_tell(handler, [each for each in told if each[0]]))
    try:
        await handler
    finally:
        teller.cancel()
    return Life(workflow, held(handler.ctx).runs.journal.records, handler.ctx)


async def _tell(handler: Handler, told: list[Told]) -> None:
    now = 0.0
    for when, n in told:
        await asyncio.sleep(when - now)
        now = when
        if handler.is_done():
            return
        handler.send_event(Answer(n=n))
