"""The endpoint of the list of runs: as pages, or all of them as lines."""

import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from cairn import apart
from cairn.api.accepting import NDJSON
from cairn.api.moments import Moment
from cairn.api.problems import refuses
from cairn.api.requests import ID, ApiRequest, Paged, cursor
from cairn.api.responses import json_response, payload_of
from cairn.api.schemas import Count, RunList, RunOut
from cairn.api.strict import StrictRoute
from cairn.engine.core.records import Status
from cairn.errors import Invalid, Problem
from cairn.store.pages import Page
from cairn.store.run_filters import RunFilters
from cairn.store.run_views import RunView

OLDEST_FIRST = "created_at "  # before the id, in a position of the other order
NO_COUNT = "there is no count among lines: ask for it without the header Accept, with limit=1"

router = APIRouter(tags=["runs"], route_class=StrictRoute)

LISTED: dict[int | str, dict[str, Any]] = {
    200: {"content": {NDJSON: {"schema": {"type": "string"}}}},
}

Names = Annotated[list[str], Field(max_length=20)]


class RunQuery(Paged):
    """Query parameters of the list of runs; a filter left out matches any run."""

    workflow: Names = Field([], description="Any of these workflows.")
    status: list[Status] = Field([], max_length=20, description="Any of these statuses.")
    context_id: UUID | None = None
    parent_run_id: UUID | None = Field(None, description="The run it was rerun from.")
    root_run_id: UUID | None = Field(None, description="The first run of a chain of reruns.")
    origin_checkpoint_id: UUID | None = Field(None, description="What it was rerun from.")
    created_after: Moment | None = Field(None, description="Accepted then, or later.")
    created_before: Moment | None = Field(None, description="Accepted earlier.")
    finished_after: Moment | None = Field(None, description="Ended then, or later.")
    finished_before: Moment | None = Field(None, description="Ended earlier.")
    error_type: Names = Field([], description="Any of these classes of exceptions.")
    error_step: Names = Field([], description="Any of these steps raised the error.")
    name: Names = Field([], description="Any of these names.")
    tag: Names = Field([], description="Any of these tags.")
    order: Literal["created_at", "-created_at"] = Field(
        "-created_at", description="`-created_at`: the newest run first."
    )
    count: bool = Field(False, description="With the number of runs that match, on all pages.")

    @property
    def newest_first(self) -> bool:
        """True if the newest run comes first."""
        return self.order == "-created_at"

    def filters(self) -> RunFilters:
        """The filters in the form that the store takes."""
        return RunFilters(**{name: getattr(self, name) for name in RunFilters.__slots__})

    def after(self) -> UUID | None:
        """The run behind which the page begins.

        Raises:
            InvalidCursor: the cursor is none of this list, in this order.
        """
        position = self.position(ID if self.newest_first else OLDEST_FIRST + ID)
        return None if position is None else UUID(position.removeprefix(OLDEST_FIRST))

    def cursor_of(self, position: str | None) -> str | None:
        """The cursor for a position in this order."""
        is_plain = position is None or self.newest_first
        return cursor(position if is_plain else f"{OLDEST_FIRST}{position}")


@router.get("/runs", response_model=RunList, responses=refuses("invalid-cursor") | LISTED)
async def list_runs(request: ApiRequest, query: Annotated[RunQuery, Query()]) -> Response:
    """Runs, newest first. A page may have fewer runs than asked for, or none, and a `next_cursor`.

    With `Accept: application/x-ndjson` all the runs that match, one a line: `limit`, if given, is
    the most in all.
    """
    lists, filters = request.service.run_lists, query.filters()
    if wants_lines(request.headers.get("accept", "")):
        if query.count:
            raise Invalid(f"query.count: {NO_COUNT}.", [Problem(("query", "count"), NO_COUNT)])
        most = query.limit if "limit" in query.model_fields_set else None
        pages = lists.all_pages(filters, query.newest_first, most, query.after())
        first = await anext(pages)  # before the status is sent: what is refused is refused here
        return StreamingResponse(_lines(first, pages), media_type=NDJSON, headers=VARY)
    page = await lists.page(filters, query.newest_first, query.limit, query.after())
    counted: dict[str, Count] = {}
    if query.count:
        value, is_least = await lists.count(filters)
        counted["count"] = Count(value=value, relation="at_least" if is_least else "exact")
    return await json_response(
        [payload_of(run) for run in page.items],
        lambda: RunList(
            items=[RunOut.of(run) for run in page.items],
            next_cursor=query.cursor_of(page.next_position),
            **counted,
        ),
        headers=VARY,
    )


VARY = {"Vary": "Accept"}


def wants_lines(accept: str) -> bool:
    """True if lines of JSON are accepted, and preferred to JSON (RFC 9110, section 12.5.1).

    Args:
        accept: the header `Accept`. Ranges as `*/*` accept JSON, which is the default.
    """
    quality = {"application/json": 0.0, NDJSON: 0.0}
    for each in accept.lower().split(","):
        name, *parameters = (part.strip() for part in each.split(";"))
        if name in quality:
            given = [it for it in parameters if re.fullmatch(r"q=(0(\.\d{0,3})?|1(\.0{0,3})?)", it)]
            quality[name] = float(given[0][2:]) if given else 1.0
    return quality[NDJSON] > quality["application/json"]


async def _lines(first: Page[RunView], others: AsyncIterator[Page[RunView]]) -> AsyncIterator[str]:
    yield await _written(first)
    async for page in others:
        yield await _written(page)


async def _written(page: Page[RunView]) -> str:
    """The runs of a page, one a line."""
    payload = [payload_of(run) for run in page.items]
    return await apart.if_large(
        payload, lambda: "".join(f"{RunOut.of(run).model_dump_json()}\n" for run in page.items)
    )
