"""A workflow in a module whose annotations are text, which is what the import below makes them."""

from __future__ import annotations

from cairn import Context, Event, StartEvent, StopEvent, Workflow, step
from tests.engine.tools.runs import ended, own, rerun_everywhere


class Word(Event):
    text: str
    after: Word | None = None


class Words(Workflow):
    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Word | None:
        return Word(text="two", after=Word(text="one"))

    @step
    async def end(self, ev: Word) -> StopEvent:
        return StopEvent(result=(ev.text, ev.after))


async def test_annotations_that_are_text_are_understood() -> None:
    workflow = Words()
    source = workflow.run()
    assert await ended(source) == ("two", Word(text="one"))
    assert own(source)[1].output_event == Word(text="two", after=Word(text="one"))
    await rerun_everywhere(workflow, source)


async def test_so_are_those_of_a_workflow_inside_a_function() -> None:
    class Inner(Event):
        n: int

    class Local(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Inner:
            return Inner(n=1)

        @step
        async def end(self, ev: Inner) -> StopEvent:
            return StopEvent(result=ev.n)

    workflow = Local()
    source = workflow.run()
    assert await ended(source) == 1
    await rerun_everywhere(workflow, source)
