"""A question in parts: fan-out with `send_event`, fan-in with `collect_events`."""

from cairn import Context, Event, StartEvent, StopEvent, Workflow, step


class Question(StartEvent):
    """A question of several parts, joined by `and` or commas."""

    question: str


class Part(Event):
    """One part of the question."""

    number: int
    text: str


class Finding(Event):
    """The finding about a part."""

    number: int
    text: str


class Answer(StopEvent):
    """The findings, in the order of the parts."""

    answer: str
    parts: int


class ResearchFlow(Workflow):
    """Splits a question into parts, works on the parts in parallel, and joins the findings."""

    @step
    async def split(self, ctx: Context, ev: Question) -> Part | None:
        texts = [text.strip(" ?") for text in ev.question.replace(" and ", ",").split(",")]
        texts = [text for text in texts if text] or [ev.question]
        await ctx.set("parts", len(texts))
        for number, text in enumerate(texts):
            ctx.send_event(Part(number=number, text=text))
        return None

    @step(num_workers=8)
    async def research(self, ctx: Context, ev: Part) -> Finding:
        words = ev.text.split()
        await ctx.set("words", await ctx.get("words", default=0) + len(words))
        longest = max(words, key=len, default="nothing")
        return Finding(number=ev.number, text=f"{ev.text}: it is all about {longest}")

    @step
    async def answer(self, ctx: Context, ev: Finding) -> Answer | None:
        findings = ctx.collect_events(ev, [Finding] * await ctx.get("parts"))
        if findings is None:
            return None
        lines = [finding.text for finding in sorted(findings, key=lambda finding: finding.number)]
        return Answer(answer="\n".join(lines), parts=len(lines))
