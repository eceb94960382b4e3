"""Recoveries: how often failures are caught on the way of one event, through lists and joins."""

import pytest

from cairn import (
    Context,
    StartEvent,
    StepFailedEvent,
    StopEvent,
    Workflow,
    catch_error,
    step,
)
from tests.engine.flows.lists import Done, Group, Odd, Part, Total, turns
from tests.engine.tools.runs import completed, ended, own, rerun_everywhere, through_json


class Around(Workflow):
    """Fails and is sent round again, until the budget is spent or it succeeds."""

    @step
    async def begin(self, ev: StartEvent) -> Part:
        return Part(n=ev.failures)

    @step
    async def work(self, ev: Part) -> StopEvent:
        if ev.n > 0:
            raise ValueError(f"{ev.n} to go")
        return StopEvent(result="done")

    @catch_error(max_recoveries=3)
    async def again(self, ev: StepFailedEvent) -> Part:
        return Part(n=ev.input_event.n - 1)


async def test_a_failure_is_caught_as_often_as_there_are_recoveries() -> None:
    workflow = Around()
    handler = workflow.run(failures=3)
    assert await ended(handler) == "done"
    await rerun_everywhere(workflow, handler, carried=through_json)


async def test_the_failure_after_the_last_recovery_fails_the_run() -> None:
    workflow = Around()
    handler = workflow.run(failures=4)
    with pytest.raises(ValueError, match="1 to go"):
        await ended(handler)
    assert completed(own(handler)) == {"begin": 1, "again": 3}
    for checkpoint in own(handler):  # the count is in the checkpoint: a rerun has no more of them
        with pytest.raises(ValueError, match="1 to go"):
            await ended(workflow.run_from(checkpoint=through_json(workflow, checkpoint)))


async def test_every_member_of_a_batch_has_recoveries_of_its_own() -> None:
    class Members(Workflow):
        @step
        async def scatter(self, ev: StartEvent) -> list[Part]:
            return [Part(n=n) for n in range(4)]

        @step
        async def work(self, ev: Part) -> Done:
            await turns(10 * ev.n)
            raise ValueError(ev.n)

        @catch_error
        async def mend(self, ev: StepFailedEvent) -> Done:
            return Done(n=10 * ev.input_event.n)

        @step
        async def gather(self, ev: list[Done]) -> StopEvent:
            return StopEvent(result=[e.n for e in ev])

    workflow = Members()
    handler = workflow.run()
    assert await ended(handler) == [0, 10, 20, 30]
    await rerun_everywhere(workflow, handler, carried=through_json)


async def test_a_list_has_had_the_recoveries_of_its_members() -> None:
    class ThenFails(Workflow):
        @step
        async def scatter(self, ev: StartEvent) -> list[Part]:
            return [Part(n=n) for n in range(3)]

        @step
        async def work(self, ev: Part) -> Done:
            if ev.n != 1:
                raise ValueError(f"member {ev.n}")
            return Done(n=ev.n)

        @step
        async def gather(self, ev: list[Done]) -> StopEvent:
            raise LookupError(f"a list of {len(ev)}")

        @catch_error(max_recoveries=2)
        async def mend(self, ev: StepFailedEvent) -> Done | StopEvent:
            if ev.step_name == "gather":
                return StopEvent(result=[type(e).__name__ for e in ev.input_event.events])
            return Done(n=0)

    workflow = ThenFails()
    handler = workflow.run()
    # Two members have failed once each: that is once on any one way, and one is left.
    assert await ended(handler) == ["Done"] * 3
    await rerun_everywhere(workflow, handler, carried=through_json)


async def test_a_spent_budget_goes_through_a_list() -> None:
    class Spent(Workflow):
        @step
        async def scatter(self, ev: StartEvent) -> list[Part]:
            return [Part(n=n) for n in range(3)]

        @step
        async def work(self, ev: Part) -> Done:
            if ev.n == 1:
                raise ValueError("caught")
            return Done(n=ev.n)

        @step
        async def gather(self, ev: list[Done]) -> Total:
            return Total(n=len(ev))

        @step
        async def end(self, ev: Total) -> StopEvent:
            raise LookupError("not caught")

        @catch_error
        async def mend(self, ev: StepFailedEvent) -> Done:
            return Done(n=0)

    with pytest.raises(LookupError, match="not caught"):
        await ended(Spent().run())


async def test_a_spent_budget_goes_through_a_join() -> None:
    class Spent(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part | Group | None:
            ctx.send_event(Part(n=1))
            ctx.send_event(Group(n=2))
            return None

        @step
        async def one(self, ev: Part) -> Done:
            raise ValueError("caught")

        @step
        async def two(self, ev: Group) -> Odd:
            return Odd(n=ev.n)

        @step
        async def join(self, odd: Odd, done: Done) -> StopEvent:
            raise LookupError("not caught")

        @catch_error(for_steps=["one", "join"])
        async def mend(self, ev: StepFailedEvent) -> Done:
            return Done(n=1)

    with pytest.raises(LookupError, match="not caught"):
        await ended(Spent().run())


async def test_what_has_not_gone_a_failed_way_keeps_its_budget() -> None:
    class Two(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part | Group | None:
            ctx.send_event(Part(n=1))
            ctx.send_event(Group(n=2))
            return None

        @step
        async def one(self, ev: Part) -> Done:
            raise ValueError

        @step
        async def two(self, ev: Group) -> Odd:
            raise ValueError

        @step
        async def join(self, done: Done, odd: Odd) -> StopEvent:
            return StopEvent(result=(done.n, odd.n))

        @catch_error
        async def mend(self, ev: StepFailedEvent) -> Done | Odd:
            n = ev.input_event.n
            return Done(n=n) if ev.step_name == "one" else Odd(n=n)

    workflow = Two()
    handler = workflow.run()
    assert await ended(handler) == (1, 2)
    await rerun_everywhere(workflow, handler, carried=through_json)


async def test_each_handler_has_a_budget_of_its_own() -> None:
    class Chain(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Part:
            raise ValueError("first")

        @step
        async def work(self, ev: Part) -> StopEvent:
            raise ValueError("second")

        @catch_error(for_steps=["begin"])
        async def mend_first(self, ev: StepFailedEvent) -> Part:
            return Part(n=1)

        @catch_error(for_steps=["work"])
        async def mend_second(self, ev: StepFailedEvent) -> StopEvent:
            return StopEvent(result="mended twice")

    assert await ended(Chain().run()) == "mended twice"


async def test_what_a_handler_sends_has_gone_the_same_way() -> None:
    class Sends(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Part:
            raise ValueError("caught")

        @step
        async def work(self, ev: Part) -> StopEvent:
            raise LookupError("not caught")

        @catch_error
        async def mend(self, ctx: Context, ev: StepFailedEvent) -> Part | None:
            ctx.send_event(Part(n=1))
            return None

    with pytest.raises(LookupError, match="not caught"):
        await ended(Sends().run())


async def test_a_list_that_a_handler_returns_is_a_batch_with_the_failures_count() -> None:
    class Lists(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Part:
            raise ValueError("caught")

        @step
        async def work(self, ev: Part) -> Done:
            if ev.n == 2:
                raise LookupError("not caught")
            return Done(n=ev.n)

        @step
        async def gather(self, ev: list[Done]) -> StopEvent:
            return StopEvent(result=[e.n for e in ev])

        @catch_error
        async def mend(self, ev: StepFailedEvent) -> list[Part]:
            return [Part(n=n) for n in range(ev.attempts + 1)]

    workflow = Lists()
    handler = workflow.run()
    assert await ended(handler) == [0, 1]
    await rerun_everywhere(workflow, handler, carried=through_json)
