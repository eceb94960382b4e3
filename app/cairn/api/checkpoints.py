"""Endpoints of checkpoints."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from cairn.api.checkpoint_query import CheckpointSearch
from cairn.api.etags import (
    NOT_MODIFIED,
    IfNoneMatch,
    code_of,
    is_known,
    not_modified,
    tag_of,
    tagged,
)
from cairn.api.listing import CheckpointList, checkpoints_response
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
from cairn.store.annotations import Annotation

router = APIRouter(tags=["checkpoints"], route_class=StrictRoute)


@router.get("/checkpoints", response_model=CheckpointList, responses=refuses("invalid-cursor"))
async def find_checkpoints(
    request: ApiRequest, query: Annotated[CheckpointSearch, Query()]
) -> Response:
    """Checkpoints of all runs. A page may have fewer than asked for, or none, and a `next_cursor`.

    A page looks at a bounded number of checkpoints, whatever the filters.
    """
    page = await request.service.checkpoints.search(
        query.filters(), query.newest_first, query.events, query.limit, query.after()
    )
    return await checkpoints_response(page, query.events)


@router.get(
    "/checkpoints/{checkpoint_id}",
    response_model=CheckpointWhole,
    responses=refuses("not-found", "damaged") | NOT_MODIFIED,
)
async def get_checkpoint(
    request: ApiRequest, checkpoint_id: UUID, if_none_match: IfNoneMatch = None
) -> Response:
    """One checkpoint, with its events and what the context held."""
    service, workflows = request.service.checkpoints, request.service.catalog.workflows

    def tag(workflow: str, annotation: Annotation) -> str:
        return tag_of(checkpoint_id, annotation, code_of(workflows.get(workflow)))

    if if_none_match is not None:
        present = tag(*await service.standing(checkpoint_id))
        if is_known(present, if_none_match):
            return not_modified(present)
    found = await service.find(checkpoint_id)
    workflow = workflows.get(found.listed.workflow)
    steps = () if workflow is None else workflow.graph.steps
    return await json_response(
        (found.listed.input_event, found.listed.output_event, found.snapshot, found.trail),
        lambda: checkpoint_whole(found, steps),
        headers=tagged(tag(found.listed.workflow, found.listed.annotation)),
    )


@router.put("/checkpoints/{checkpoint_id}/tags", responses=refuses("not-found", *WITH_BODY))
async def put_tags(request: ApiRequest, checkpoint_id: UUID, body: TagsIn) -> CheckpointOut:
    """Give a checkpoint these tags, and no others. While it has any, its run cannot be deleted."""
    annotated = await request.service.checkpoints.annotate(checkpoint_id, {"tags": body.tags})
    return checkpoint_out(annotated, events=False)


@router.patch("/checkpoints/{checkpoint_id}", responses=refuses("not-found", *WITH_BODY))
async def annotate_checkpoint(
    request: ApiRequest, checkpoint_id: UUID, body: AnnotationIn
) -> CheckpointOut:
    """Name a checkpoint, note something on it, or tag it. A field left out stays as it is."""
    annotated = await request.service.checkpoints.annotate(checkpoint_id, body.changes())
    return checkpoint_out(annotated, events=False)
