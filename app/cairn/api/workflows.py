"""Endpoints of workflows."""

from fastapi import APIRouter

from cairn.api.problems import refuses
from cairn.api.requests import ApiRequest
from cairn.api.schemas import BrokenOut, WorkflowList, WorkflowOut
from cairn.api.strict import StrictRoute

router = APIRouter(tags=["workflows"], route_class=StrictRoute)


@router.get("/workflows", responses=refuses())
async def list_workflows(request: ApiRequest) -> WorkflowList:
    """The workflows there are, and the files that could not be loaded."""
    return WorkflowList(
        items=[WorkflowOut.of(workflow) for workflow in request.service.catalog.workflows.values()],
        broken=[
            BrokenOut(file=each.file, error=each.error) for each in request.service.catalog.broken
        ],
        next_cursor=None,
    )


@router.get("/workflows/{name}", responses=refuses("workflow-not-loaded"))
async def get_workflow(request: ApiRequest, name: str) -> WorkflowOut:
    """One workflow: its schemas, steps and graph."""
    return WorkflowOut.of(request.service.catalog.find(name))
