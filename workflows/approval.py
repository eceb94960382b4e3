"""A decision by a person: the run waits, however long, and goes on with the answer."""

from cairn import (
    HumanResponseEvent,
    InputRequiredEvent,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)


class Request(StartEvent):
    """A request for a payment."""

    amount: int
    reason: str = ""


class ApprovalRequired(InputRequiredEvent):
    """The question to the person."""

    question: str
    amount: int


class Decision(HumanResponseEvent):
    """The person's answer."""

    approved: bool
    comment: str = ""


class ApprovalFlow(Workflow):
    """Asks a person to approve a payment; small amounts need no approval."""

    @step
    async def ask(self, ev: Request) -> ApprovalRequired | StopEvent:
        if ev.amount < 100:
            return StopEvent(result="approved: small amounts need nobody")
        question = f"Pay {ev.amount}{f' for {ev.reason}' if ev.reason else ''}?"
        return ApprovalRequired(question=question, amount=ev.amount)

    @step
    async def decide(self, ev: Decision) -> StopEvent:
        verdict = "approved" if ev.approved else "refused"
        return StopEvent(result=f"{verdict}{f': {ev.comment}' if ev.comment else ''}")
