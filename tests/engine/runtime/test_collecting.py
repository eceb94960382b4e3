"""What `collect_events` gives: first in first out, nothing twice, the surplus kept."""

from cairn import (
    Context,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)
from tests.engine.flows.sending import Done, Part
from tests.engine.tools.runs import ended, rerun_everywhere


async def test_what_is_collected_of_one_type_comes_in_the_order_it_was_sent() -> None:
    class Ordered(Workflow):
        @step
        async def scatter(self, ctx: Context, ev: StartEvent) -> Part | None:
            for n in range(6):
                ctx.send_event(Part(n=n))
            return None

        @step
        async def gather(self, ctx: Context, ev: Part) -> StopEvent | None:
            parts = ctx.collect_events(ev, [Part] * 6)
            return None if parts is None else StopEvent(result=[p.get("n") for p in parts])

    workflow = Ordered()
    source = workflow.run()
    assert await ended(source) == [0, 1, 2, 3, 4, 5]
    await rerun_everywhere(workflow, source)


async def test_what_is_collected_comes_in_the_order_of_the_expected_types() -> None:
    class Crossed(Workflow):
        @step
        async def scatter(self, ctx: Context, ev: StartEvent) -> Part | Done | None:
            for event in (Done(n=1), Part(n=2), Done(n=3)):
                ctx.send_event(event)
            return None

        @step
        async def gather(self, ctx: Context, ev: Part | Done) -> StopEvent | None:
            found = ctx.collect_events(ev, [Part, Done, Done])
            return None if found is None else StopEvent(result=[e.get("n") for e in found])

    assert await ended(Crossed().run()) == [2, 1, 3]


async def test_two_buffers_of_one_step_are_apart() -> None:
    class Sorting(Workflow):
        @step
        async def scatter(self, ctx: Context, ev: StartEvent) -> Part | None:
            for n in range(4):
                ctx.send_event(Part(n=n))
            return None

        @step
        async def sort(self, ctx: Context, ev: Part) -> Done | None:
            kind = "odd" if ev.n % 2 else "even"
            pair = ctx.collect_events(ev, [Part, Part], buffer_id=kind)
            return None if pair is None else Done(n=sum(p.get("n") for p in pair))

        @step
        async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
            done = ctx.collect_events(ev, [Done, Done])
            return None if done is None else StopEvent(result=sorted(d.get("n") for d in done))

    workflow = Sorting()
    source = workflow.run()
    assert await ended(source) == [2, 4]
    await rerun_everywhere(workflow, source)
