"""A run's result, stream and checkpoints, awaited with a bound; and reruns from everywhere."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from cairn import (
    Checkpoint,
    Event,
    Handler,
    InputRequiredEvent,
    Workflow,
)
from cairn.engine.library.rerun import InFlight

BOUND = 10.0
"""The most seconds that a test waits for a result, an event or a condition."""


async def ended(handler: Handler) -> Any:
    """The result of the run."""
    async with asyncio.timeout(BOUND):
        return await handler


async def until(event: asyncio.Event) -> None:
    """Wait for the event."""
    async with asyncio.timeout(BOUND):
        await event.wait()


async def until_true(condition: Callable[[], bool]) -> None:
    """Let other tasks go on until the condition holds."""
    for _ in range(100_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to be")


async def waiting(handler: Handler) -> Checkpoint:
    """The checkpoint that the run leaves as a step asks, and begins to wait."""

    def asked() -> list[Checkpoint]:
        return [
            c
            for c in own(handler)
            if c.last_completed_step is None and isinstance(c.output_event, InputRequiredEvent)
        ]

    await until_true(lambda: bool(asked()))
    return asked()[-1]


async def shown(handler: Handler, kind: type[Event]) -> Event:
    """The first event of this type in the run's stream."""
    async with asyncio.timeout(BOUND):
        async for event in handler.stream_events():
            if type(event) is kind:
                return event
    raise AssertionError(f"the run ended and showed no {kind.__name__}")


def own(handler: Handler) -> list[Checkpoint]:
    """The checkpoints of this run, oldest first."""
    return [c for c in handler.ctx.checkpoints if c.run_id == handler.run_id]


def state(checkpoint: Checkpoint) -> Any:
    """The state in the checkpoint, by key."""
    return checkpoint.ctx_state["globals"]


def completed(checkpoints: list[Checkpoint]) -> Counter[str]:
    """The number of times that each step has completed."""
    return Counter(c.last_completed_step for c in checkpoints if c.last_completed_step)


def through_json(workflow: Workflow, checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint, written as JSON and read back."""
    return Checkpoint.model_validate_json(
        checkpoint.model_dump_json(), context={"workflow": workflow}
    )


async def rerun_everywhere(
    workflow: Workflow,
    source: Handler,
    *answers: Event,
    carried: Callable[[Workflow, Checkpoint], Checkpoint] = lambda _, c: c,
    in_flight: InFlight = "rerun",
) -> None:
    """Rerun from every checkpoint but the StopEvent's, and compare with the run itself.

    The rerun has the same result and the same final state. Each step completes in the rerun as many
    times as in the run after the checkpoint. The rerun is told the answers that the run heard later
    than the checkpoint.
    """
    result = await ended(source)
    checkpoints = own(source)
    for seq, checkpoint in enumerate(checkpoints[:-1]):
        heard = [c.output_event for c in checkpoints[: seq + 1] if c.last_completed_step is None]
        rerun = workflow.run_from(carried(workflow, checkpoint), in_flight=in_flight)
        for answer in answers:
            if answer not in heard:
                rerun.send_event(answer)
        where = f"rerun from checkpoint {seq}, after {checkpoint.last_completed_step}"
        assert await ended(rerun) == result, where
        assert state(own(rerun)[-1]) == state(checkpoints[-1]), where
        before = completed(checkpoints[: seq + 1])
        assert before + completed(own(rerun)) == completed(checkpoints), where
