"""Endpoints of runs."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from cairn.api.headers import LOCATION, PREFERENCE_APPLIED
from cairn.api.listing import CheckpointList, CheckpointQuery, checkpoints_response
from cairn.api.problems import WITH_BODY, refuses
from cairn.api.requests import ID, NUMBER, ApiRequest, Key, Paged, Prefer, cursor, wait_seconds
from cairn.api.responses import (
    ACCEPTED,
    accepted_response,
    json_response,
    preference_applied,
    run_response,
)
from cairn.api.schemas import AnnotationIn, EventIn, RunIn, RunList, RunOut
from cairn.api.strict import StrictRoute
from cairn.engine.core.records import Status

CANCEL_SECONDS = 5.0  # to wait for the cancellation by the process that drives the run

router = APIRouter(tags=["runs"], route_class=StrictRoute)


class RunQuery(Paged):
    """Query parameters of the list of runs; a filter left out matches any run."""

    workflow: str | None = None
    status: Status | None = None
    context_id: UUID | None = None


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


@router.get("/runs", response_model=RunList, responses=refuses("invalid-cursor"))
async def list_runs(request: ApiRequest, query: Annotated[RunQuery, Query()]) -> Response:
    """Runs, newest first."""
    page = await request.service.runs.listed(
        query.workflow, query.status, query.context_id, query.limit, query.position(ID)
    )
    return await json_response(
        [(run.start_event, run.stop_event) for run in page.items],
        lambda: RunList(
            items=[RunOut.of(run) for run in page.items], next_cursor=cursor(page.next_position)
        ),
    )


@router.get(
    "/runs/{run_id}",
    response_model=RunOut,
    responses=refuses("not-found") | {200: {"headers": PREFERENCE_APPLIED}},
)
async def get_run(request: ApiRequest, run_id: UUID, prefer: Prefer = None) -> Response:
    """One run, as it stands; with `Prefer: wait=N`, waited for until it ends or begins to wait for
    an event from outside.
    """  # noqa: D205  # in the OpenAPI schema as it is
    wanted = wait_seconds(prefer)
    wait = request.service.runs.patience(wanted)
    run = await request.service.runs.find(run_id, wait)
    return await run_response(run, headers=preference_applied(wait) if wanted else None)


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
    responses=refuses("not-found", "invalid-cursor"),
)
async def list_run_checkpoints(
    request: ApiRequest, run_id: UUID, query: Annotated[CheckpointQuery, Query()]
) -> Response:
    """The checkpoints of a run, newest last."""
    page = await request.service.checkpoints.of_run(
        run_id, query.filters(), query.events, query.limit, query.position(NUMBER)
    )
    return await checkpoints_response(page, query)
