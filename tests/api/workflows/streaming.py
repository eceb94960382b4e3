"""Steps that write to the stream: at a gate, many entries, and in attempts that fail."""

import asyncio

from cairn import Context, Event, StartEvent, StopEvent, Workflow, retry_policy, step
from cairn.engine.language.retry import stop_after_attempt, wait_fixed
from tests.api.gates import executed, gates, mended


class Words(StartEvent):
    words: int = 3
    gate: str = ""
    fails: int = 0
    pause: float = 0.0


class Word(Event):
    n: int
    text: str = ""


class Spoken(Event):
    words: int


class StreamingWorkflow(Workflow):
    """Writes words to its stream, then says how many."""

    @step(retry_policy=retry_policy(wait=wait_fixed(0.05), stop=stop_after_attempt(5)))
    async def speak(self, ctx: Context, ev: Words) -> Spoken:
        executed.append("speak")
        for n in range(ev.words):
            ctx.write_event_to_stream(Word(n=n, text="w" * (n % 2) * 400))
        failed = ctx.retry_info().retry_number
        if failed < ev.fails and f"speak {ev.gate}" not in mended:
            raise ConnectionError(f"failure {failed + 1}")
        if ev.gate:
            await gates[ev.gate].stand()
        ctx.write_event_to_stream(Word(n=ev.words))
        return Spoken(words=ev.words + 1)

    @step
    async def end(self, ctx: Context, ev: Spoken) -> StopEvent:
        ctx.write_event_to_stream(Word(n=-1))
        return StopEvent(result=ev.words)


class Flood(StartEvent):
    words: int = 2_000


class Side(Event):
    words: int


class FloodWorkflow(Workflow):
    """One step writes many words at once, while another goes on writing some at a time."""

    @step
    async def begin(self, ctx: Context, ev: Flood) -> Side | Spoken:
        ctx.send_event(Spoken(words=ev.words))
        return Side(words=ev.words)

    @step
    async def flood(self, ctx: Context, ev: Spoken) -> Word:
        await asyncio.sleep(0)
        for n in range(ev.words):
            ctx.write_event_to_stream(Word(n=n, text="flood"))
        return Word(n=ev.words)

    @step
    async def trickle(self, ctx: Context, ev: Side) -> Word:
        for n in range(ev.words // 10):
            ctx.write_event_to_stream(Word(n=n, text="trickle"))
            await asyncio.sleep(0)
        return Word(n=ev.words // 10)

    @step
    async def end(self, ctx: Context, ev: Word) -> StopEvent | None:
        both = ctx.collect_events(ev, [Word, Word])
        return None if both is None else StopEvent(result=len(both))
