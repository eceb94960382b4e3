"""The shapes in the language that Cairn and its peers share: the very same workflows for all."""

from collections.abc import Awaitable, Callable
from importlib import import_module
from types import SimpleNamespace, new_class
from typing import Any

NAMES = ("Context", "Event", "StartEvent", "StopEvent", "Workflow", "step")


def language_of(*modules: str) -> SimpleNamespace:
    """The names that workflows are written with, as these modules of one package have them."""
    found = [import_module(module) for module in modules]
    return SimpleNamespace(
        **{name: next(getattr(m, name) for m in found if hasattr(m, name)) for name in NAMES}
    )


def chain(language: Any, size: int) -> Callable[[], Awaitable[Any]]:
    """As many steps, each started once, by an event of a type of its own. They count themselves."""

    class Counted(language.Event):
        result: int

    def counting(name: str, takes: Any, gives: Any) -> Any:
        async def count(self: Any, ev: takes) -> gives:
            return gives(result=ev.result + 1)

        count.__name__, count.__qualname__ = name, f"Chain.{name}"  # as that of a method
        return language.step(count)

    between = [new_class(f"Counted{number}", (Counted,)) for number in range(1, size)]
    ends = zip([language.StartEvent, *between], [*between, language.StopEvent], strict=True)
    steps = {f"step_{n}": counting(f"step_{n}", *pair) for n, pair in enumerate(ends, start=1)}
    return _runs_of(new_class("Chain", (language.Workflow,), exec_body=lambda b: b.update(steps)))


def loop(language: Any, size: int) -> Callable[[], Awaitable[Any]]:
    """One step, which goes round as many times and counts."""

    class Round(language.Event):
        result: int

    class Loop(language.Workflow):
        @language.step
        async def count(self, ev: language.StartEvent | Round) -> Round | language.StopEvent:
            result = ev.result + 1
            return Round(result=result) if result < size else language.StopEvent(result=result)

    return _runs_of(Loop)


def fan_out(language: Any, size: int) -> Callable[[], Awaitable[Any]]:
    """One step sends as many events, a second takes each, and a third collects what that gives."""

    class Part(language.Event):
        result: int

    class Done(language.Event):
        result: int

    expected = [Done] * size

    class FanOut(language.Workflow):
        @language.step
        async def split(self, ctx: language.Context, ev: language.StartEvent) -> Part | None:
            for number in range(size):
                ctx.send_event(Part(result=number))
            return None

        @language.step
        async def work(self, ev: Part) -> Done:
            return Done(result=ev.result + 1)

        @language.step
        async def gather(self, ctx: language.Context, ev: Done) -> language.StopEvent | None:
            if (done := ctx.collect_events(ev, expected)) is None:
                return None
            return language.StopEvent(result=sum(part.result for part in done))

    return _runs_of(FanOut)


def _runs_of(workflow_class: Any) -> Callable[[], Awaitable[Any]]:
    workflow = workflow_class(timeout=None)
    return lambda: workflow.run(result=0)
