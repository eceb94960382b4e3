"""Endpoints for monitors and process managers."""

from typing import Literal

import structlog
from fastapi import APIRouter
from pydantic import BaseModel

from cairn.api.problems import refuses
from cairn.api.requests import ApiRequest
from cairn.api.strict import StrictRoute
from cairn.errors import Unavailable

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/health", tags=["health"], route_class=StrictRoute)


class Health(BaseModel):
    """All is well."""

    status: Literal["ok"] = "ok"


# Monitors send HEAD. The schema leaves HEAD out: the answer has no content of its own.
@router.head("/live", include_in_schema=False)
@router.get("/live", responses=refuses())
async def live() -> Health:
    """The process answers."""
    return Health()


@router.head("/ready", include_in_schema=False)
@router.get("/ready", responses=refuses())
async def ready(request: ApiRequest) -> Health:
    """The database answers, and runs are carried forward."""
    try:
        await request.service.ping()
    except Unavailable:
        raise  # the log says why
    except Exception as error:
        log.exception("not ready")
        raise Unavailable("The database does not answer. Try again later.") from error
    return Health()
