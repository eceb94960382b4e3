"""What fails: until it is mended, and for good."""

from typing import Any

from cairn import Context, Event, StartEvent, StopEvent, Workflow, step
from tests.api import gates


class Fault(StartEvent):
    fault: str


class Prepared(Event):
    fault: str


class DiskIsFull(Exception):
    """What is wrong until the test mends it."""


class FailingWorkflow(Workflow):
    """Prepares, then fails until its fault is mended."""

    @step
    async def prepare(self, ctx: Context, ev: Fault) -> Prepared:
        gates.executed.append("prepare")
        await ctx.set("prepared", True)
        return Prepared(fault=ev.fault)

    @step
    async def work(self, ctx: Context, ev: Prepared) -> StopEvent:
        gates.executed.append("work")
        if ev.fault not in gates.mended:
            raise DiskIsFull(f"no room for {ev.fault}")
        return StopEvent(result=f"{ev.fault} is done")


class UnstorableWorkflow(Workflow):
    """Writes what cannot be stored."""

    @step
    async def write(self, ctx: Context, ev: StartEvent) -> StopEvent:
        await ctx.set("socket", object())
        return StopEvent()


class UnstorableResultWorkflow(Workflow):
    """Ends with what cannot be stored."""

    @step
    async def end(self, ev: StartEvent) -> StopEvent:
        return StopEvent(result=object())


class OddResultWorkflow(Workflow):
    """Ends with a value that JSON has no word for."""

    @step
    async def end(self, ev: StartEvent) -> StopEvent:
        odd: dict[str, Any] = {
            "infinity": float("inf"),
            "not a number": float("nan"),
            "huge": 10**400,
            "surrogate": "\ud800",
            "nul": "\0",
        }
        return StopEvent(result=odd[ev.odd])
