"""How a run moves, and the language in which workflows are written."""

from app.engine.checkpoint import Checkpoint
from app.engine.context import Context
from app.engine.errors import (
    SerializationError,
    WorkflowCancelledByUser,
    WorkflowConfigurationError,
    WorkflowError,
    WorkflowRuntimeError,
    WorkflowTimeoutError,
    WorkflowValidationError,
)
from app.engine.events import Event, HumanResponseEvent, InputRequiredEvent, StartEvent, StopEvent
from app.engine.handler import Handler
from app.engine.steps import step
from app.engine.store import DictState
from app.engine.workflow import Workflow

__all__ = [
    "Checkpoint",
    "Context",
    "DictState",
    "Event",
    "Handler",
    "HumanResponseEvent",
    "InputRequiredEvent",
    "SerializationError",
    "StartEvent",
    "StopEvent",
    "Workflow",
    "WorkflowCancelledByUser",
    "WorkflowConfigurationError",
    "WorkflowError",
    "WorkflowRuntimeError",
    "WorkflowTimeoutError",
    "WorkflowValidationError",
    "step",
]
