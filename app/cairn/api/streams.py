"""Endpoints of the streams of runs."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, format_sse_event
from pydantic import Field

from cairn.api.accepting import NDJSON, SSE, preferred
from cairn.api.problems import refuses
from cairn.api.requests import ApiRequest, Paged, cursor
from cairn.api.responses import json_response
from cairn.api.stream_models import AttemptList, EntryList, attempt_out, entry_out
from cairn.api.strict import StrictRoute
from cairn.errors import Invalid, Problem
from cairn.service import Service
from cairn.store.positions import WRITTEN, Position
from cairn.store.stream import StreamPage

router = APIRouter(tags=["streams"], route_class=StrictRoute)

STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"content": {kind: {"schema": {"type": "string"}} for kind in (SSE, NDJSON)}},
}

LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        description="The position after which the stream goes on, as an SSE client sends it.",
    ),
]


class StreamQuery(Paged):
    """Query parameters of a run's stream."""

    after: str | None = Field(None, description="The position after which the stream begins.")

    def start(self, last_event_id: str | None) -> Position | None:
        """The position to begin after: that of the cursor, of the header or of `after`.

        Raises:
            Invalid: there is no such position.
        """
        written = self.position(WRITTEN)
        if written is not None:
            return Position.read(written)
        for text, where in (
            (last_event_id, ("header", "Last-Event-ID")),
            (self.after, ("query", "after")),
        ):
            if text:
                return _position(text, where)
        return None


@router.get(
    "/runs/{run_id}/events",
    response_model=EntryList,
    responses=refuses("not-found", "invalid-cursor", "unavailable") | STREAMED,
)
async def watch_run(
    request: ApiRequest,
    run_id: UUID,
    query: Annotated[StreamQuery, Query()],
    last_event_id: LastEventId = None,
) -> Response:
    """The stream of a run: what steps wrote, checkpoints, statuses, and attempts that failed.

    With `Accept: text/event-stream` as server-sent events, and with `application/x-ndjson` as one
    object a line: both go on until the run ends. Otherwise a page of what there is.
    """
    after = query.start(last_event_id)
    streams = request.service.streams
    accepted = preferred(request.headers.get("accept"))
    if accepted is None:
        page = await streams.page(run_id, after, query.limit)
        return await json_response(
            [item.event for item in page.items],
            lambda: EntryList(
                items=[entry_out(item) for item in page.items],
                next_cursor=_cursor(page),
                is_over=page.is_over,
            ),
        )
    streams.check_room()
    await streams.page(run_id, after, 1)  # an absent run is refused before the answer begins
    if accepted == SSE:
        return EventSourceResponse(_events(request.service, run_id, after))
    return StreamingResponse(_lines(request.service, run_id, after), media_type=NDJSON)


@router.get(
    "/runs/{run_id}/attempts",
    response_model=AttemptList,
    responses=refuses("not-found", "invalid-cursor"),
)
async def list_attempts(
    request: ApiRequest, run_id: UUID, query: Annotated[Paged, Query()]
) -> Response:
    """The attempts of a run's steps that failed, oldest first."""
    written = query.position(WRITTEN)
    after = None if written is None else Position.read(written)
    page = await request.service.streams.attempts(run_id, after, query.limit)
    return await json_response(
        [],
        lambda: AttemptList(
            run_id=run_id,
            items=[attempt_out(item) for item in page.items],
            next_cursor=_cursor(page),
        ),
    )


async def _events(service: Service, run_id: UUID, after: Position | None) -> AsyncIterator[bytes]:
    """The stream as server-sent events, with a comment as a sign of life."""
    async for page in service.streams.follow(run_id, after):
        if page is None:
            yield format_sse_event(comment="alive")
            continue
        yield b"".join(
            format_sse_event(
                data_str=entry_out(item).model_dump_json(),
                event=item.kind,
                id=str(item.position),
            )
            for item in page.items
        )


async def _lines(service: Service, run_id: UUID, after: Position | None) -> AsyncIterator[bytes]:
    """The stream as one JSON object a line, with an empty line as a sign of life."""
    async for page in service.streams.follow(run_id, after):
        if page is None:
            yield b"\n"
            continue
        yield b"".join(entry_out(item).model_dump_json().encode() + b"\n" for item in page.items)


def _cursor(page: StreamPage) -> str | None:
    return cursor(str(page.items[-1].position)) if page.has_more else None


def _position(text: str, where: tuple[str, ...]) -> Position:
    position = Position.read(text)
    if position is None:
        message = f"{text[:100]!r} is no position. Pass the `position` of an entry: 7.0, say."
        raise Invalid(message, [Problem(where, message)])
    return position
