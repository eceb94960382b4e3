"""Endpoints of checkpoints."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter, Response

from cairn.api.etags import (
    NOT_MODIFIED,
    IfNoneMatch,
    code_of,
    is_known,
    not_modified,
    tag_of,
    tagged,
)
from cairn.api.problems import WITH_BODY, refuses
from cairn.api.requests import ApiRequest, Key, Prefer, wait_seconds
from cairn.api.responses import ACCEPTED, accepted_response, json_response
from cairn.api.schemas import (
    CheckpointOut,
    CheckpointWhole,
    RerunIn,
    RunOut,
    TagsIn,
    checkpoint_out,
    checkpoint_whole,
)
from cairn.api.strict import StrictRoute

router = APIRouter(tags=["checkpoints"], route_class=StrictRoute)


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

    def tag(workflow: str, tags: Sequence[str]) -> str:
        return tag_of(checkpoint_id, tags, code_of(workflows.get(workflow)))

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
        headers=tagged(tag(found.listed.workflow, found.listed.tags)),
    )


@router.put("/checkpoints/{checkpoint_id}/tags", responses=refuses("not-found", *WITH_BODY))
async def put_tags(request: ApiRequest, checkpoint_id: UUID, body: TagsIn) -> CheckpointOut:
    """Give a checkpoint these tags, and no others. While it has any, its run cannot be deleted."""
    tagged = await request.service.checkpoints.tag(checkpoint_id, sorted(set(body.tags)))
    return checkpoint_out(tagged, events=False)


@router.post(
    "/checkpoints/{checkpoint_id}/rerun",
    status_code=202,
    response_model=RunOut,
    responses=ACCEPTED
    | refuses(
        "not-found",
        "workflow-not-loaded",
        "nothing-left-to-run",
        "step-gone",
        "idempotency-key-reused",
        "damaged",
        *WITH_BODY,
    ),
)
async def rerun(
    request: ApiRequest,
    checkpoint_id: UUID,
    key: Key = None,
    prefer: Prefer = None,
    body: RerunIn | None = None,  # noqa: ARG001  # validated: unknown fields are refused
) -> Response:
    """Start a new run where the checkpoint stands, in the same context.

    Completed steps are not executed again. With `Prefer: wait=N` the answer is 200 if the run has
    ended by then.
    """
    run_id = await request.service.reruns.start(checkpoint_id, await request.repeatable(key))
    return await accepted_response(request.service, run_id, wait_seconds(prefer))
