"""Endpoints that rerun checkpoints."""

from uuid import UUID

from fastapi import APIRouter, Response

from cairn.api.problems import WITH_BODY, refuses
from cairn.api.requests import ApiRequest, Key, Prefer, wait_seconds
from cairn.api.rerun_bodies import RerunIn, RunRerunIn
from cairn.api.responses import ACCEPTED, accepted_response
from cairn.api.schemas import RunOut
from cairn.api.strict import StrictRoute

REFUSALS = (
    "not-found",
    "workflow-not-loaded",
    "nothing-left-to-run",
    "step-gone",
    "facts-unknown",
    "idempotency-key-reused",
    "change-does-not-fit",
    "event-not-taken",
    "invalid-event",
    "damaged",
    *WITH_BODY,
)

router = APIRouter(tags=["reruns"], route_class=StrictRoute)


@router.post(
    "/checkpoints/{checkpoint_id}/rerun",
    status_code=202,
    response_model=RunOut,
    responses=ACCEPTED | refuses(*REFUSALS),
)
async def rerun(
    request: ApiRequest,
    checkpoint_id: UUID,
    key: Key = None,
    prefer: Prefer = None,
    body: RerunIn | None = None,
) -> Response:
    """Start a new run where the checkpoint stands, changed or not. The source run stays as it is.

    Completed steps are not executed again. With `Prefer: wait=N` the answer is 200 if the run has
    ended by then.
    """
    options = (body or RerunIn()).options()
    run_id = await request.service.reruns.start(
        checkpoint_id, options, await request.repeatable(key)
    )
    return await accepted_response(request.service, run_id, wait_seconds(prefer))


@router.post(
    "/runs/{run_id}/rerun",
    status_code=202,
    response_model=RunOut,
    responses=ACCEPTED | refuses("step-not-found", "not-begun", *REFUSALS),
)
async def rerun_run(
    request: ApiRequest,
    run_id: UUID,
    key: Key = None,
    prefer: Prefer = None,
    body: RunRerunIn | None = None,
) -> Response:
    """Start a new run at a step of another run, or at its head, changed or not.

    Without `from`, the new run goes on from the head: so does a failed run once its code is mended.
    """
    body = body or RunRerunIn()
    run_id = await request.service.reruns.start_in_run(
        run_id, body.place(), body.options(), await request.repeatable(key)
    )
    return await accepted_response(request.service, run_id, wait_seconds(prefer))
