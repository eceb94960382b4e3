"""A bounded client: several customers who each want one run after another, and do not give up."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from random import Random
from types import TracebackType
from typing import Any, Self

import httpx

from tests.crash.orders import Body, Order, any_orders
from tests.crash.service import BOUND, until
from tests.crash.trace import Delivery

PAUSE = 0.02
"""Seconds between two tries."""

AT_ONCE = 8
"""How many requests look at what is there, at once."""

PATIENCE = 2 * BOUND
"""Seconds that a customer waits for a run to get on, with kills coming in between."""


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
        urls: the services, which are asked by turns.
        patient: whether a 503 is no surprise, and asked again.
        unavailable: what each 503 said, and when, in monotonic seconds.
        accepted: called each time a run has been answered with 202.
    """

    urls: Sequence[str]
    patient: bool = False
    ordered: list[Order] = field(default_factory=list)
    repeated: int = 0
    unavailable: list[tuple[float, str]] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    accepted: Callable[[], None] = lambda: None
    _closing: bool = False

    async def __aenter__(self) -> Self:
        self._client = httpx.AsyncClient(timeout=BOUND, limits=httpx.Limits(max_connections=None))
        self._turns = cycle(self.urls)
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
        response = await self._insist(lambda url: self._client.get(url + path, params=query))
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
        response = await self._insist(
            lambda url: self._client.post(url + path, json=body, headers=headers)
        )
        if response.status_code not in (201, 202):
            self.surprises.append(f"{path} {key}: {response.status_code} {response.text}")
        return response.json()

    async def _insist(self, ask: Callable[[str], Awaitable[httpx.Response]]) -> httpx.Response:
        tries = 0
        while True:
            try:
                response = await ask(next(self._turns))
            except httpx.TransportError:
                pass
            else:
                if not (self.patient and response.status_code == 503):
                    self.repeated += tries > 0
                    return response
                self._note(response)
            tries += 1
            await asyncio.sleep(PAUSE)

    def _note(self, refused: httpx.Response) -> None:
        self.unavailable.append((time.monotonic(), refused.json()["detail"]))
        if not refused.headers.get("retry-after", "").isdigit():
            self.surprises.append(f"a 503 with {refused.headers}")

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

    @asynccontextmanager
    async def busy(self, count: int, chance: Random) -> AsyncIterator[None]:
        """That many customers, ordering whatever it is; in the end, what they have ordered ends."""
        contexts = await self.contexts("chain", "counter")
        async with asyncio.TaskGroup() as group:
            group.create_task(self.customers(count, any_orders(chance, contexts)))
            yield
            self.close()

    async def more(self, count: int) -> None:
        """Wait until that many more runs have been ordered."""
        enough = len(self.ordered) + count
        await until(lambda: len(self.ordered) >= enough, f"{count} more runs are ordered")

    def close(self) -> None:
        """Take no more orders; what was ordered is carried out."""
        self._closing = True
