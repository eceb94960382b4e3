"""A bounded client: several customers who each want one run after another, and do not give up."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

from tests.crash.service import BOUND
from tests.crash.trace import Delivery

PAUSE = 0.02
"""Seconds between two tries, and that a piece of work takes at most."""

AT_ONCE = 8
"""How many requests look at what is there, at once."""

PATIENCE = 2 * BOUND
"""Seconds that a customer waits for a run to get on, with kills coming in between."""

Body = Mapping[str, Any]


@dataclass(slots=True)
class Order:
    """A run that somebody wants; its key is the key of everything about it."""

    key: str
    workflow: str
    size: int
    pause: float = 0.0
    context: str | None = None
    gate: str = ""
    run_id: str = ""

    @property
    def body(self) -> Body:
        """What is POSTed."""
        start = {"key": self.key, "size": self.size, "pause": self.pause, "gate": self.gate}
        return {"workflow": self.workflow, "start_event": start, "context_id": self.context}

    def result(self, turn: int) -> object:
        """What the run comes to, as the run of that number in its context."""
        match self.workflow:
            case "chain":
                return list(range(self.size + 1))
            case "fan":
                return [number**2 for number in range(1, self.size + 1)]
            case "counter":
                return self.state(turn)["counter"]
            case "approval":
                return self._answers
            case "consult":
                return [*self._answers, self.size]
            case _:
                return "held"

    def state(self, turn: int) -> Body:
        """What it leaves in the context; of these workflows, only some build on what was there."""
        match self.workflow:
            case "chain":
                return {"trail": [*range(self.size + 1)] * turn}
            case "counter":
                return {"counter": sum(range(self.size + 1)) * turn, "size": self.size}
            case "approval":
                return {"answers": self._answers, "size": self.size}
            case "fan":
                return {"size": self.size}
            case _:
                return {"notes": self.size}

    @property
    def _answers(self) -> list[str]:
        return [f"answer {number}" for number in range(1, self.size + 1)]

    @property
    def received(self) -> dict[str, int]:
        """How many events of each type come to it from outside."""
        answers = {"approval": "Answer", "consult": "Word"}.get(self.workflow)
        return {"Start": 1} | ({answers: self.size} if answers else {})

    @property
    def deliveries(self) -> set[Delivery]:
        """The deliveries it consists of: each leaves one checkpoint of a step."""
        steps = {
            "chain": ("begin", ["hop"]),
            "fan": ("split", ["work", "gather"]),
            "counter": ("spread", ["add", "total"]),
            "approval": ("ask", ["decide"]),
            "consult": ("consult", ["note"]),
        }
        first, others = steps[self.workflow]
        numbers = range(1, self.size + 1)
        return {(self.key, first, 0)} | {(self.key, s, n) for s in others for n in numbers}

    @property
    def causes(self) -> dict[Delivery, Delivery]:
        """Of each delivery, the one whose completion brought it about."""
        key, numbers = self.key, range(1, self.size + 1)
        match self.workflow:
            case "chain" | "approval":
                first, other = ("begin", "hop") if self.workflow == "chain" else ("ask", "decide")
                after = {(key, other, n): (key, other, n - 1) for n in numbers[1:]}
                return after | {(key, other, 1): (key, first, 0)}
            case "fan" | "counter":
                first, work, last = (
                    ("split", "work", "gather")
                    if self.workflow == "fan"
                    else ("spread", "add", "total")
                )
                parts = {(key, work, n): (key, first, 0) for n in numbers}
                return parts | {(key, last, n): (key, work, n) for n in numbers}
            case _:  # notes go out as their step begins to wait, before it completes
                return {}


def any_orders(random: random.Random, contexts: Mapping[str, list[str]]) -> Iterator[Order]:
    """Orders without end, of all shapes; some in the contexts, which are given by workflow."""
    number = 0
    while True:
        workflow = random.choice(("chain", "chain", "fan", "counter", "approval", "consult"))
        size = {"chain": 9, "fan": 5, "counter": 6, "approval": 2, "consult": 2}[workflow]
        shared = random.choice([None, *contexts.get(workflow, [])])
        pause = random.uniform(0, PAUSE)
        yield Order(f"{workflow}-{number}", workflow, size, pause, shared)
        number += 1


def steps(checkpoints: Iterable[Any]) -> Iterator[tuple[Delivery, Any]]:
    """The checkpoints that completed steps have left, with what had been delivered to these."""
    for checkpoint in checkpoints:
        step = checkpoint["last_completed_step"]
        if step is not None:
            event = checkpoint["input_event"]["data"]
            yield (event["key"], step, event["number"]), checkpoint


def completed(checkpoints: Iterable[Any]) -> Counter[Delivery]:
    """How many times each delivery has been completed."""
    return Counter(delivery for delivery, _ in steps(checkpoints))


def heard(checkpoints: Iterable[Any]) -> Counter[str]:
    """How many events of each type have come in from outside."""
    return Counter(c["output_event_type"] for c in checkpoints if c["input_event_type"] is None)


@dataclass
class Load:
    """The customers, what they have ordered, and whatever was answered that should not be.

    Attributes:
        accepted: called each time a run has been answered with 202.
    """

    url: str
    ordered: list[Order] = field(default_factory=list)
    repeated: int = 0
    surprises: list[str] = field(default_factory=list)
    accepted: Callable[[], None] = lambda: None
    _closing: bool = False

    async def __aenter__(self) -> Self:
        self._client = httpx.AsyncClient(base_url=self.url, timeout=BOUND)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    # Asking, as often as it takes

    async def get(self, path: str, **query: Any) -> Any:
        """What is there."""
        response = await self._insist(lambda: self._client.get(path, params=query))
        assert response.status_code == 200, response.text
        return response.json()

    async def every(self, path: str, **query: Any) -> list[Any]:
        """A whole list, page by page."""
        items: list[Any] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self.get(path, limit=1000, **query, **cursor)
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            cursor = {"cursor": page["next_cursor"]}

    async def checkpoints(self, orders: Iterable[Order]) -> dict[str, list[Any]]:
        """All the checkpoints of these runs, with their events, by key."""
        few = asyncio.Semaphore(AT_ONCE)

        async def of_one(order: Order) -> list[Any]:
            async with few:
                return await self.every(f"/runs/{order.run_id}/checkpoints", include="events")

        async with asyncio.TaskGroup() as group:
            found = {o.key: group.create_task(of_one(o)) for o in orders}
        return {key: task.result() for key, task in found.items()}

    async def post(self, path: str, body: Body, key: str) -> Any:
        """Have it done, once, however often it has to be asked for."""
        headers = {"Idempotency-Key": key}
        response = await self._insist(lambda: self._client.post(path, json=body, headers=headers))
        if response.status_code not in (201, 202):
            self.surprises.append(f"{path} {key}: {response.status_code} {response.text}")
        return response.json()

    async def _insist(self, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        tries = 0
        while True:
            try:
                response = await ask()
            except httpx.TransportError:
                tries += 1
                await asyncio.sleep(PAUSE)
            else:
                self.repeated += tries > 0
                return response

    # Ordering

    async def context(self, workflow: str, key: str) -> str:
        """A context to share."""
        made = await self.post("/contexts", {"workflow": workflow}, key)
        return str(made["id"])

    async def contexts(self, *workflows: str) -> dict[str, list[str]]:
        """Two contexts to share for each of the workflows."""
        return {
            workflow: [await self.context(workflow, f"{workflow} {number}") for number in (1, 2)]
            for workflow in workflows
        }

    async def order(self, order: Order) -> None:
        """Have a run started, and note it once that is answered."""
        run = await self.post("/runs", order.body, order.key)
        order.run_id = run["id"]
        self.ordered.append(order)
        self.accepted()

    async def answer(self, order: Order, number: int) -> None:
        """Tell a run what it waits for."""
        kind = "Answer" if order.workflow == "approval" else "Word"
        data = {"key": order.key, "number": number, "text": f"answer {number}"}
        path, key = f"/runs/{order.run_id}/events", f"{order.key}/{number}"
        await self.post(path, {"type": kind, "data": data}, key)

    async def asked(self, order: Order, number: int) -> None:
        """Wait until the run waits for that answer."""
        path = f"/runs/{order.run_id}"

        async def asks() -> Any:
            asked = await self.every(f"{path}/checkpoints", output_event_type="Question")
            status = (await self.get(path))["status"]
            return len(asked) == number and status == "waiting"

        await self._find(asks, f"{order} asks for answer {number}")

    async def ended(self, order: Order) -> Any:
        """The run, once it has ended."""

        async def ended() -> Any:
            run = await self.get(f"/runs/{order.run_id}")
            return run if run["status"] in ("completed", "failed", "cancelled") else None

        return await self._find(ended, f"{order} ends")

    async def _find(self, find: Callable[[], Awaitable[Any]], what: str) -> Any:
        """What is found, looking again and again; AssertionError if that takes too long."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not (found := await find()):  # noqa: ASYNC110  # another process is looked at
                    await asyncio.sleep(2 * PAUSE)
                return found
        except TimeoutError:
            raise AssertionError(f"not within {PATIENCE:g} s: {what}") from None

    async def carry_out(self, order: Order) -> Any:
        """A run from its order to its end, with all the answers it waits for."""
        await self.order(order)
        if order.workflow in ("approval", "consult"):
            for number in range(1, order.size + 1):
                await self.asked(order, number)
                await self.answer(order, number)
        return await self.ended(order)

    async def customers(self, count: int, orders: Iterator[Order]) -> None:
        """That many customers, each with one run after another, until `close`."""

        async def one() -> None:
            while not self._closing:
                order = next(orders)
                await self.carry_out(order)
                if order.run_id[-1] in "01234":  # of some, the answer got lost on the way
                    again = await self.post("/runs", order.body, order.key)
                    if again["id"] != order.run_id:
                        self.surprises.append(f"{order.key}: made {again['id']} when repeated")

        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(one())

    def close(self) -> None:
        """Take no more orders; what was ordered is carried out."""
        self._closing = True
