"""Responses: models as JSON, written in a thread if large."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel

from cairn import apart
from cairn.api.headers import LOCATION, PREFERENCE_APPLIED
from cairn.api.schemas import RunOut
from cairn.engine.core.records import ENDED
from cairn.service import Service
from cairn.store.run_views import RunView

ACCEPTED: dict[int | str, dict[str, Any]] = {
    200: {
        "model": RunOut,
        "description": "The run has ended within the time preferred.",
        "headers": LOCATION | PREFERENCE_APPLIED,
    },
    202: {
        "description": "It is committed, and goes on in the background.",
        "headers": LOCATION | PREFERENCE_APPLIED,
    },
}


async def json_response(
    payload: Any,
    model: Callable[[], BaseModel],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The response with a model's JSON, made in a thread if the payload is large.

    A response, and no model for FastAPI to return: the framework would validate the model again.

    Args:
        payload: the large parts of the model, before conversion.
        model: makes the model.
        status: the HTTP status.
        headers: headers besides the content's.
    """
    content = await apart.if_large(payload, lambda: model().model_dump_json())
    return Response(content, status, headers, media_type="application/json")


async def run_response(
    run: RunView, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The response with a run."""
    return await json_response(payload_of(run), lambda: RunOut.of(run), status, headers)


def payload_of(run: RunView) -> Any:
    """The large parts of a run."""
    return run.start_event, run.stop_event, [awaited.question for awaited in run.waiting_for]


async def accepted_response(service: Service, run_id: UUID, wait: float) -> Response:
    """The response to a request that starts a run: 202, or 200 if the run ends within the wait.

    The response comes early if the run begins to wait for an event.

    Args:
        service: the service that has accepted the run.
        run_id: the run.
        wait: seconds to wait for the end; 0 to answer at once.

    Raises:
        NotFound: the run was deleted meanwhile.
    """
    headers = {"Location": f"/runs/{run_id}"}
    if wait:
        wait = service.runs.patience(wait)
        headers |= preference_applied(wait)
    run = await service.runs.find(run_id, wait, is_new=True)
    return await run_response(run, 200 if wait and run.status in ENDED else 202, headers)


def preference_applied(wait: float) -> dict[str, str]:
    """The header for an applied preference to wait, in seconds (RFC 7240, section 3)."""
    return {"Preference-Applied": f"wait={wait:g}"}
