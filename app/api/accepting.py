"""How a run that was accepted is answered for."""

from typing import Any
from uuid import UUID

from fastapi import Response

from app.api.schemas import RunOut
from app.engine.journal import ENDED
from app.service import Service

ENDED_IN_TIME: dict[int | str, dict[str, Any]] = {
    200: {"model": RunOut, "description": "The run has ended within the time preferred."}
}


async def accepted(service: Service, run_id: UUID, wait: float) -> Response:
    """202 and the run, or 200 if it has ended within the time that was preferred."""
    prefers = wait > 0
    wait = service.patience(wait) if wait else 0
    run = RunOut.of(await service.run(run_id, wait, is_new=True))
    headers = {"Location": f"/runs/{run_id}"}
    if prefers:
        headers["Preference-Applied"] = f"wait={wait:g}"
    status = 200 if wait and run.status in ENDED else 202
    # Written as it is: it is valid already, and the framework would validate it once more.
    return Response(
        run.model_dump_json(by_alias=True), status, headers, media_type="application/json"
    )
