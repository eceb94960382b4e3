"""Endpoints of checkpoints."""

from uuid import UUID

from fastapi import APIRouter, Response

from cairn.api.problems import WITH_BODY, refuses
from cairn.api.requests import ApiRequest
from cairn.api.responses import json_response
from cairn.api.schemas import (
    AnnotationIn,
    CheckpointOut,
    CheckpointWhole,
    TagsIn,
    checkpoint_out,
    checkpoint_whole,
)
from cairn.api.strict import StrictRoute

router = APIRouter(tags=["checkpoints"], route_class=StrictRoute)


@router.get(
    "/checkpoints/{checkpoint_id}",
    response_model=CheckpointWhole,
    responses=refuses("not-found", "damaged"),
)
async def get_checkpoint(request: ApiRequest, checkpoint_id: UUID) -> Response:
    """One checkpoint, with its events and what the context held."""
    found = await request.service.checkpoints.find(checkpoint_id)
    workflow = request.service.catalog.workflows.get(found.listed.workflow)
    steps = () if workflow is None else workflow.graph.steps
    return await json_response(
        (found.listed.input_event, found.listed.output_event, found.snapshot, found.trail),
        lambda: checkpoint_whole(found, steps),
    )


@router.put("/checkpoints/{checkpoint_id}/tags", responses=refuses("not-found", *WITH_BODY))
async def put_tags(request: ApiRequest, checkpoint_id: UUID, body: TagsIn) -> CheckpointOut:
    """Give a checkpoint these tags, and no others. While it has any, its run cannot be deleted."""
    tagged = await request.service.checkpoints.annotate(checkpoint_id, {"tags": body.tags})
    return checkpoint_out(tagged, events=False)


@router.patch("/checkpoints/{checkpoint_id}", responses=refuses("not-found", *WITH_BODY))
async def annotate_checkpoint(
    request: ApiRequest, checkpoint_id: UUID, body: AnnotationIn
) -> CheckpointOut:
    """Name a checkpoint, note something on it, or tag it. A field left out stays as it is."""
    annotated = await request.service.checkpoints.annotate(checkpoint_id, body.changes())
    return checkpoint_out(annotated, events=False)
