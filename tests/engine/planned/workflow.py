"""The workflow that a plan becomes."""

from typing import Annotated, Any

from cairn import (
    Collect,
    Context,
    Event,
    StepFailedEvent,
    StopEvent,
    Take,
    catch_error,
    step,
)
from tests.engine.planned.actions import SEEDS, START, Acting
from tests.engine.planned.events import (
    Again,
    Answer,
    Bolt,
    Broken,
    Coin,
    Done,
    Found,
    Go,
    Left,
    Lost,
    Made,
    Member,
    Narrow,
    Numbered,
    Nut,
    Question,
    Reply,
    Right,
    Shared,
    Spread,
    Toss,
    Work,
    execution,
    listed,
)
from tests.engine.planned.plan import LOST, MENDED, TAKEN, Add, Piece

Piecework = Work | Narrow | Shared


class Patient:
    """Tries again after 0, 1, 2 ... seconds, and never gives up on `Again`."""

    def next(self, elapsed_time: float, attempts: int, error: Exception) -> float | None:
        return float(attempts - 1) if isinstance(error, Again) else None


class Planned(Acting):
    """Begins, works, collects and gathers as the plan says."""

    types = (Question,)

    @step
    async def begin(
        self, ctx: Context, ev: Go
    ) -> Work | Narrow | Shared | Nut | Bolt | Left | Right | Spread | Toss | Reply | Done | None:
        self.started[execution("begin", ev)] += 1
        if self.plan.seeded:
            for key, empty in SEEDS.items():
                await ctx.set(key, empty)
        for n in self.plan.replies:
            ctx.send_event(Reply(n=n, left=0))
        returned = self._send(ctx, 0, ("first", "last"))
        self.ended[execution("begin", ev)] += 1
        return returned if self.plan.goes_on[0] else Done(n=-1)

    @step(num_workers=3, retry_policy=Patient())
    async def work(self, ctx: Context, ev: Work) -> Work | Narrow | Shared | Done | None:
        return await self._piece("work", ctx, ev)

    @step(num_workers=1, retry_policy=Patient())
    async def narrow(
        self, ctx: Context, ev: Narrow | Reply
    ) -> Work | Narrow | Shared | Done | Answer | None:
        # One step for both: a piece that waits for an answer must not keep the answer from coming.
        if isinstance(ev, Narrow):
            return await self._piece("narrow", ctx, ev)
        self.started[execution("narrow", ev)] += 1
        await self._pause(ev.n + 3)
        ctx.send_event(Done(n=ev.n))
        self.ended[execution("narrow", ev)] += 1
        return Answer(n=ev.n)

    @step(num_workers=2, retry_policy=Patient())
    async def one(self, ctx: Context, ev: Shared) -> Work | Narrow | Shared | Done | None:
        return await self._piece("one", ctx, ev)

    @step(retry_policy=Patient())
    async def other(self, ctx: Context, ev: Shared) -> Work | Narrow | Shared | Done | None:
        return await self._piece("other", ctx, ev)

    @step(num_workers=3, retry_policy=Patient())
    async def fit(self, ctx: Context, ev: Nut | Bolt) -> Done:
        self.started[execution("fit", ev)] += 1
        row = self.plan.rows[ev.n]
        if row.how == "loose":
            await self._pause(row.ticks + ev.left)
        pattern: list[type[Event]] = [Nut if kind == "Nut" else Bolt for kind in row.pattern]
        group = ctx.collect_events(ev, pattern, buffer_id=f"row {ev.n}" if ev.n else None)
        if group is not None:
            held = [] if row.how == "loose" else [each.left for each in group]
            await self._append(ctx, "groups", [ev.n, held], row.ticks)
        await self._pause(row.ticks + ev.left)
        fail(ctx, row.fails)
        self.ended[execution("fit", ev)] += 1
        return Done(n=ev.n)

    @step(num_workers=2, retry_policy=Patient())
    async def join(self, ctx: Context, left: Left, right: Right) -> Done:
        self.started[execution("join", left, right)] += 1
        row = self.plan.rows[left.n]
        await self._append(ctx, "groups", [left.n, [left.left, right.left]], row.ticks)
        await self._pause(row.ticks)
        fail(ctx, row.fails)
        self.ended[execution("join", left, right)] += 1
        return Done(n=left.n)

    @step
    async def spread(self, ev: Spread) -> list[Member]:
        await self._begin_list("spread", ev)
        return [Member(n=ev.n, left=value) for value in self.plan.lists[ev.n].items]

    @step(num_workers=2, retry_policy=Patient())
    async def member(self, ctx: Context, ev: Member) -> Made:
        await self._of_list("member", ctx, ev)
        if ev.left == LOST:
            raise Lost
        return Made(n=ev.n, left=ev.left)

    @catch_error(for_steps=["member"])
    async def mend(self, ev: StepFailedEvent) -> Made:
        self.started[execution("mend", ev)] += 1
        self.ended[execution("mend", ev)] += 1
        return Made(n=ev.input_event.n, left=MENDED)

    @step
    async def made(self, ctx: Context, ev: list[Made]) -> Done:
        return await self._end_list("made", ctx, ev, [each.left for each in ev])

    @step
    async def toss(self, ev: Toss) -> list[Coin]:
        await self._begin_list("toss", ev)
        return [Coin(n=ev.n, left=value) for value in self.plan.lists[ev.n].items]

    @step(num_workers=3, retry_policy=Patient())
    async def coin(self, ctx: Context, ev: Coin) -> Found | Done:
        await self._of_list("coin", ctx, ev)
        ctx.send_event(Done(n=ev.n))
        return Found(n=ev.n, left=ev.left)

    @step
    async def found(self, ctx: Context, ev: Annotated[list[Found], Collect(Take(TAKEN))]) -> Done:
        return await self._end_list("found", ctx, ev, [])

    @step
    async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        # What has been collected must have completed when the run stops: no pause after it.
        self.started[execution("gather", ev)] += 1
        await self._pause(ev.n)
        done = ctx.collect_events(ev, [Done] * self.plan.words)
        self.ended[execution("gather", ev)] += 1
        if done is None:
            return None
        return StopEvent(
            result=(sorted(each.n for each in done), await ctx.get("count", default=START))
        )

    async def _piece(
        self, name: str, ctx: Context, ev: Piecework
    ) -> Work | Narrow | Shared | Done | None:
        self.started[execution(name, ev)] += 1
        piece = self.plan.pieces[ev.n]
        await self._pause(piece.ticks)
        if not ev.left:
            self._send(ctx, ev.n + 1, ("first",))
        for action in piece.does:
            if isinstance(action, Add):
                await self._add(ctx, ev.n, action)
            else:
                await self._ask(ctx, ev.n, action)
        if self.breaks == ev.n:
            raise Broken
        fail(ctx, piece.fails)
        returned = again(ev) if ev.left else self._send(ctx, ev.n + 1, ("last",))
        self.ended[execution(name, ev)] += 1
        if returned is not None or self.plan.goes_on[ev.n + 1]:
            return returned
        if piece.quiet:
            ctx.send_event(Done(n=ev.n))
            return None
        return Done(n=ev.n)

    def _send(self, ctx: Context, sender: int, goes: tuple[str, ...]) -> Piecework | None:
        """Send all that goes now; return one event that is to be returned, and send its copies."""
        returned: Piecework | None = None
        for n in self.plan.children[sender]:
            piece = self.plan.pieces[n]
            when = "last" if piece.goes == "returned" else piece.goes
            if when not in goes:
                continue
            event, to = job(n, piece), "one" if piece.route == "named" else None
            sends = piece.copies
            if piece.goes == "returned" and returned is None and to is None:
                returned, sends = event, sends - 1
            for _ in range(sends):
                ctx.send_event(event, to)
        if "last" in goes:
            for n in self.plan.rows_of[sender]:
                kinds = (Left, Right) if n == self.plan.joined else (Nut, Bolt)
                for kind, value in self.plan.rows[n].items:
                    ctx.send_event(kinds[kind == "Bolt"](n=n, left=value))
            for n in self.plan.lists_of[sender]:
                ctx.send_event((Spread if self.plan.lists[n].whole else Toss)(n=n))
        return returned

    async def _begin_list(self, name: str, ev: Numbered) -> None:
        self.started[execution(name, ev)] += 1
        await self._pause(self.plan.lists[ev.n].ticks)
        self.ended[execution(name, ev)] += 1

    async def _of_list(self, name: str, ctx: Context, ev: Numbered) -> None:
        self.started[execution(name, ev)] += 1
        made = self.plan.lists[ev.n]
        await self._append(ctx, "made", ev.left, made.ticks)
        await self._pause(made.ticks + ev.left)
        fail(ctx, made.fails)
        self.ended[execution(name, ev)] += 1

    async def _end_list(self, name: str, ctx: Context, ev: list[Any], held: list[int]) -> Done:
        self.started[listed(name, ev)] += 1
        await self._append(ctx, "lists", [name, len(ev), held], len(ev))
        self.ended[listed(name, ev)] += 1
        return Done(n=-2)


def job(n: int, piece: Piece) -> Piecework:
    """The event of a piece."""
    routes: dict[str, type[Piecework]] = {
        "work": Work,
        "narrow": Narrow,
        "both": Shared,
        "named": Shared,
    }
    return routes[piece.route](n=n, left=piece.loops)


def again(event: Piecework) -> Piecework:
    """The event of the next round."""
    return type(event)(n=event.n, left=event.left - 1)


def fail(ctx: Context, times: int) -> None:
    """Fail in the first attempts, so many of them."""
    if ctx.retry_info().retry_number < times:
        raise Again
