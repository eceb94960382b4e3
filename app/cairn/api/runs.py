"""Endpoints of runs."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from cairn.api.etags import (
    NOT_MODIFIED,
    IfNoneMatch,
    code_of,
    is_known,
    not_modified,
    tag_of,
    tagged,
)
from cairn.api.headers import ETAG, LOCATION, PREFERENCE_APPLIED
from cairn.api.listing import CheckpointList, CheckpointQuery, checkpoints_response
from cairn.api.problems import WITH_BODY, refuses
from cairn.api.requests import LONGEST_WAIT, NUMBER, ApiRequest, Key, Prefer, wait_seconds
from cairn.api.responses import (
    ACCEPTED,
    accepted_response,
    preference_applied,
    run_response,
)
from cairn.api.schemas import AnnotationIn, EventIn, RunIn, RunOut
from cairn.api.strict import StrictRoute
from cairn.store.run_views import RunView
from cairn.store.standings import ListStanding, RunStanding

CANCEL_SECONDS = 5.0  # to wait for the cancellation by the process that drives the run

router = APIRouter(tags=["runs"], route_class=StrictRoute)


class WaitQuery(BaseModel):
    """Query parameters of a wait for a run."""

    model_config = ConfigDict(extra="forbid")

    wait: float | None = Field(
        None, ge=0, le=LONGEST_WAIT, description="How many seconds to wait, as with `Prefer`."
    )
    after_seq: int | None = Field(
        None, ge=0, description="Wait for a checkpoint with a greater `seq`, or for the end."
    )


@router.post(
    "/runs",
    status_code=202,
    response_model=RunOut,
    responses=ACCEPTED
    | refuses(
        "not-found",
        "workflow-not-loaded",
        "context-of-another-workflow",
        "context-busy",
        "idempotency-key-reused",
        "invalid-event",
        *WITH_BODY,
    ),
)
async def start_run(
    request: ApiRequest, body: RunIn, key: Key = None, prefer: Prefer = None
) -> Response:
    """Start a run in the background: 202 means that it is committed, and survives a crash.

    With `Prefer: wait=N` the answer is 200 if the run has ended by then. It comes as soon as the
    run begins to wait for an event from outside, which `waiting_for` names.
    """
    run_id = await request.service.runs.start(
        body.workflow,
        body.start_event,
        body.context_id,
        body.if_busy == "queue",
        await request.repeatable(key),
    )
    return await accepted_response(request.service, run_id, wait_seconds(prefer))


@router.get(
    "/runs/{run_id}",
    response_model=RunOut,
    responses=refuses("not-found") | NOT_MODIFIED | {200: {"headers": PREFERENCE_APPLIED | ETAG}},
)
async def get_run(
    request: ApiRequest,
    run_id: UUID,
    query: Annotated[WaitQuery, Query()],
    prefer: Prefer = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """One run, as it stands.

    With `wait=N`, or `Prefer: wait=N`, waited for until it ends or begins to wait for an event from
    outside; with `after_seq=S`, until it has a checkpoint after that one, or ends.
    """
    runs = request.service.runs
    wanted = wait_seconds(prefer) if query.wait is None else query.wait
    wait = runs.patience(wanted)
    headers = preference_applied(wait) if wanted else {}

    def tag(run: RunView | RunStanding) -> str:
        code = None
        if run.status == "waiting":  # the schemas of the answers are those of the code
            code = code_of(request.service.catalog.workflows.get(run.workflow))
        return tag_of(run_id, run.status, run.checkpoint_count, run.annotation, code)

    if if_none_match is not None and not wait:
        present = tag(await runs.standing(run_id))
        if is_known(present, if_none_match):
            return not_modified(present, headers)
    run = await runs.find(run_id, wait, after_seq=query.after_seq)
    present = tag(run)
    if is_known(present, if_none_match):
        return not_modified(present, headers)
    return await run_response(run, headers=tagged(present, headers))


@router.patch("/runs/{run_id}", response_model=RunOut, responses=refuses("not-found", *WITH_BODY))
async def annotate_run(request: ApiRequest, run_id: UUID, body: AnnotationIn) -> Response:
    """Name a run, note something on it, or tag it: a tagged run is kept.

    A field left out stays as it is.
    """
    return await run_response(await request.service.runs.annotate(run_id, body.changes()))


@router.delete(
    "/runs/{run_id}",
    status_code=204,
    responses=refuses("not-found", "run-under-way", "checkpoint-tagged"),
)
async def delete_run(request: ApiRequest, run_id: UUID) -> None:
    """Delete a run that has ended, with its checkpoints. Reruns made from it stay.

    It is refused while a checkpoint of it is tagged.
    """
    await request.service.runs.delete(run_id)


@router.post("/runs/{run_id}/cancel", response_model=RunOut, responses=refuses("not-found"))
async def cancel_run(request: ApiRequest, run_id: UUID) -> Response:
    """End a run. Its checkpoints stay, with what was under way still pending: it can be rerun."""
    await request.service.runs.cancel(run_id)
    return await run_response(await request.service.runs.find(run_id, CANCEL_SECONDS))


@router.post(
    "/runs/{run_id}/events",
    status_code=202,
    response_model=RunOut,
    responses=refuses(
        "not-found",
        "workflow-not-loaded",
        "run-ended",
        "event-not-wanted",
        "question-answered",
        "idempotency-key-reused",
        "event-not-taken",
        "invalid-event",
        *WITH_BODY,
    )
    | {202: {"headers": LOCATION}},
)
async def send_event(request: ApiRequest, run_id: UUID, body: EventIn, key: Key = None) -> Response:
    """Say something to a run: an answer it waits for, or an event for its steps."""
    await request.service.runs.send_event(
        run_id, body.type, body.data, await request.repeatable(key)
    )
    run = await request.service.runs.find(run_id)
    return await run_response(run, 202, {"Location": f"/runs/{run_id}"})


@router.get(
    "/runs/{run_id}/checkpoints",
    response_model=CheckpointList,
    responses=refuses("not-found", "invalid-cursor") | NOT_MODIFIED,
)
async def list_run_checkpoints(
    request: ApiRequest,
    run_id: UUID,
    query: Annotated[CheckpointQuery, Query()],
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The checkpoints of a run, newest last."""
    service, position = request.service.checkpoints, query.position(NUMBER)

    def tag(standing: ListStanding) -> str | None:
        if standing.annotations is None:
            return None
        return tag_of(run_id, *standing, query.model_dump())

    if if_none_match is not None:
        present = tag(await service.standing_of_run(run_id))
        if is_known(present, if_none_match):
            return not_modified(present)
    page = await service.of_run(run_id, query.filters(), query.events, query.limit, position)
    return await checkpoints_response(page, query.events, tagged(tag(page.standing)))
