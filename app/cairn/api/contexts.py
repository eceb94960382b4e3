"""Endpoints of contexts."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from cairn.api.headers import LOCATION
from cairn.api.listing import CheckpointList, CheckpointQuery, checkpoints_response
from cairn.api.problems import WITH_BODY, refuses
from cairn.api.requests import ID, ApiRequest, Key
from cairn.api.schemas import ContextIn, ContextOut
from cairn.api.strict import StrictRoute

router = APIRouter(tags=["contexts"], route_class=StrictRoute)


@router.post(
    "/contexts",
    status_code=201,
    responses=refuses("workflow-not-loaded", "idempotency-key-reused", *WITH_BODY)
    | {201: {"headers": LOCATION}},
)
async def create_context(
    request: ApiRequest, body: ContextIn, response: Response, key: Key = None
) -> ContextOut:
    """Make a context: state that the runs started in it share."""
    context = await request.service.contexts.create(body.workflow, await request.repeatable(key))
    response.headers["Location"] = f"/contexts/{context.id}"
    return ContextOut(id=context.id, workflow=context.workflow, created_at=context.created_at)


@router.get("/contexts/{context_id}", responses=refuses("not-found"))
async def get_context(request: ApiRequest, context_id: UUID) -> ContextOut:
    """One context."""
    context = await request.service.contexts.find(context_id)
    return ContextOut(id=context.id, workflow=context.workflow, created_at=context.created_at)


@router.delete(
    "/contexts/{context_id}",
    status_code=204,
    responses=refuses("not-found", "run-under-way", "checkpoint-tagged"),
)
async def delete_context(request: ApiRequest, context_id: UUID) -> None:
    """Delete a context with all its runs, which must have ended.

    It is refused while a checkpoint in it is tagged.
    """
    await request.service.contexts.delete(context_id)


@router.get(
    "/contexts/{context_id}/checkpoints",
    response_model=CheckpointList,
    responses=refuses("not-found", "invalid-cursor"),
)
async def list_context_checkpoints(
    request: ApiRequest, context_id: UUID, query: Annotated[CheckpointQuery, Query()]
) -> Response:
    """The checkpoints of all the runs in a context, newest last."""
    page = await request.service.checkpoints.of_context(
        context_id, query.filters(), query.events, query.limit, query.position(ID)
    )
    return await checkpoints_response(page, query.events)
