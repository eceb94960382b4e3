"""Endpoints that compare checkpoints and runs, and tell how runs belong together."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from cairn.api.comparison_schemas import (
    CheckpointDiff,
    LineageOut,
    RelativeOut,
    RunsCompared,
    StorageOut,
)
from cairn.api.problems import refuses
from cairn.api.requests import ID, ApiRequest, Paged, cursor
from cairn.api.responses import json_response
from cairn.api.strict import StrictRoute

router = APIRouter(route_class=StrictRoute)


class DiffQuery(BaseModel):
    """Query parameters of a checkpoint's differences. Unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid")

    against: UUID | None = Field(
        None, description="The checkpoint to compare with, of any run; the parent if left out."
    )


class CompareQuery(BaseModel):
    """Query parameters of a comparison. Unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid")

    with_: UUID = Field(alias="with", description="The run to compare with, of the same workflow.")


@router.get(
    "/checkpoints/{checkpoint_id}/diff",
    tags=["checkpoints"],
    response_model=CheckpointDiff,
    responses=refuses("not-found", "damaged"),
)
async def diff_checkpoint(
    request: ApiRequest, checkpoint_id: UUID, query: Annotated[DiffQuery, Query()]
) -> Response:
    """The differences of a checkpoint from its parent, or from another checkpoint.

    The state is shown as in `ctx_state.globals` of the checkpoint. The first checkpoint of a run
    without a parent is compared with nothing.
    """
    found = await request.service.comparisons.checkpoints(checkpoint_id, query.against)
    events = found.checkpoint.input_event, found.checkpoint.output_event
    payload = (*events, found.before, found.after)
    return await json_response(payload, lambda: CheckpointDiff.of(found))


@router.get(
    "/runs/{run_id}/compare",
    tags=["runs"],
    response_model=RunsCompared,
    responses=refuses("not-found", "workflows-differ", "damaged"),
)
async def compare_runs(
    request: ApiRequest, run_id: UUID, query: Annotated[CompareQuery, Query()]
) -> Response:
    """A run and another one of the same workflow, step by step after their common ancestor.

    That is the last checkpoint that both share by reruns. Without one, the runs are compared from
    the beginning, through the runs that they were rerun from.
    """
    comparison = await request.service.comparisons.runs(run_id, query.with_)
    found = comparison.found
    payload = (*(run.stop_event for run in found.runs), *(end.state for end in found.ends))
    return await json_response(payload, lambda: RunsCompared.of(comparison))


@router.get(
    "/runs/{run_id}/lineage",
    tags=["runs"],
    response_model=LineageOut,
    responses=refuses("not-found", "invalid-cursor"),
)
async def get_lineage(
    request: ApiRequest, run_id: UUID, query: Annotated[Paged, Query()]
) -> Response:
    """The tree of reruns that a run belongs to: its root, and all reruns, oldest first."""
    page = await request.service.comparisons.lineage(run_id, query.limit, query.position(ID))
    return await json_response(
        None,
        lambda: LineageOut(
            items=[RelativeOut.of(relative) for relative in page.items],
            next_cursor=cursor(page.next_position),
        ),
    )


@router.get("/runs/{run_id}/storage", tags=["runs"], responses=refuses("not-found"))
async def get_storage(request: ApiRequest, run_id: UUID) -> StorageOut:
    """The bytes that a run takes in the database: its own, and those that it shares."""
    return StorageOut.of(await request.service.comparisons.storage(run_id))
