"""How what was found, or accepted, is answered: as JSON that is written once, and apart where it
is large."""

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


async def answered(
    payload: Any,
    shown: Callable[[], BaseModel],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer; it is made in a thread where the payload, which it shows, is large.

    It is valid already: the framework would validate it once more.
    """
    content = await apart.if_large(payload, lambda: shown().model_dump_json())
    return Response(content, status, headers, media_type="application/json")


async def run_answered(
    run: RunView, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The run as it stands."""
    payload = (run.start_event, run.stop_event, [it.question for it in run.waiting_for])
    return await answered(payload, lambda: RunOut.of(run), status, headers)


async def accepted(service: Service, run_id: UUID, wait: float) -> Response:
    """202 and the run, or 200 if it has ended within the time that was preferred. A run that
    begins to wait for an event is not waited for any longer."""
    headers = {"Location": f"/runs/{run_id}"}
    if wait:
        wait = service.patience(wait)
        headers |= applied(wait)
    run = await service.run(run_id, wait, is_new=True)
    return await run_answered(run, 200 if wait and run.status in ENDED else 202, headers)


def applied(wait: float) -> dict[str, str]:
    """What says for how long a preference to wait was applied."""
    return {"Preference-Applied": f"wait={wait:g}"}
