"""The endpoint of the questions that runs wait on."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from cairn.api.problems import refuses
from cairn.api.requests import ApiRequest, Paged, cursor
from cairn.api.responses import json_response
from cairn.api.schemas import AskedOut, WaitingList
from cairn.api.strict import StrictRoute
from cairn.store.waiting import POSITION

router = APIRouter(tags=["runs"], route_class=StrictRoute)


class WaitingQuery(Paged):
    """Query parameters of the list of questions; a filter left out matches any run."""

    workflow: str | None = Field(None, description="The workflow of the runs that wait.")
    context_id: UUID | None = Field(None, description="The context of the runs that wait.")


@router.get("/waiting", response_model=WaitingList, responses=refuses("invalid-cursor"))
async def list_waiting(request: ApiRequest, query: Annotated[WaitingQuery, Query()]) -> Response:
    """The open questions of all runs that wait, those of the oldest run first.

    A run with an unread event is left out: it is about to go on.
    """
    page = await request.service.waiting.listed(
        query.workflow, query.context_id, query.limit, query.position(POSITION)
    )
    return await json_response(
        [asked.question.question for asked in page.items],
        lambda: WaitingList(
            items=[AskedOut.of_run(asked) for asked in page.items],
            next_cursor=cursor(page.next_position),
        ),
    )
