"""What waits for a person: between two steps, and in the middle of one."""

from cairn import (
    Context,
    HumanResponseEvent,
    InputRequiredEvent,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)


class Payment(StartEvent):
    amount: int


class Question(InputRequiredEvent):
    text: str


class Verdict(HumanResponseEvent):
    approved: bool
    by: str = "nobody"


class ApprovalWorkflow(Workflow):
    """Asks whether to pay, and ends with the verdict."""

    @step
    async def ask(self, ev: Payment) -> Question:
        return Question(text=f"pay {ev.amount}?")

    @step
    async def decide(self, ev: Verdict) -> StopEvent:
        return StopEvent(result=f"{'paid' if ev.approved else 'refused'} by {ev.by}")


class MidStepWorkflow(Workflow):
    """Asks in the middle of its only step."""

    @step
    async def ask(self, ctx: Context, ev: Payment) -> StopEvent:
        verdict = await ctx.wait_for_event(
            Verdict, waiter_event=Question(text=f"pay {ev.amount}?"), timeout=None
        )
        return StopEvent(result=f"{ev.amount} {'paid' if verdict.approved else 'refused'}")


class Poll(StartEvent):
    votes: int = 3


class VotingWorkflow(Workflow):
    """Counts verdicts until there are enough."""

    @step
    async def ask(self, ctx: Context, ev: Poll) -> Question:
        await ctx.set("votes", ev.votes)
        return Question(text="who is for it?")

    @step
    async def count(self, ctx: Context, ev: Verdict) -> StopEvent | None:
        voters = [*await ctx.get("voters", default=[]), ev.by]
        await ctx.set("voters", voters)
        return StopEvent(result=voters) if len(voters) == await ctx.get("votes") else None
