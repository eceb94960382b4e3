"""Endpoints of workflows."""

from fastapi import APIRouter

from cairn.api.asking import Asked
from cairn.api.problems import refuses
from cairn.api.schemas import BrokenOut, WorkflowList, WorkflowOut
from cairn.api.strict import StrictRoute

router = APIRouter(tags=["workflows"], route_class=StrictRoute)


@router.get("/workflows", responses=refuses())
async def list_workflows(asked: Asked) -> WorkflowList:
    """The workflows there are, and the files that could not be loaded."""
    return WorkflowList(
        items=[WorkflowOut.of(workflow) for workflow in asked.service.catalog.workflows.values()],
        broken=[BrokenOut(file=it.file, error=it.error) for it in asked.service.catalog.broken],
        next_cursor=None,
    )


@router.get("/workflows/{name}", responses=refuses("workflow-not-loaded"))
async def get_workflow(asked: Asked, name: str) -> WorkflowOut:
    """One workflow: its schemas, steps and graph."""
    return WorkflowOut.of(asked.service.workflow(name))
