"""How a run moves, and the language in which workflows are written."""

from app.engine.checkpoint import Checkpoint
from app.engine.checkpointer import WorkflowCheckpointer
from app.engine.collect import All, Collect, Take
from app.engine.context import Context
from app.engine.drawing import draw_all_possible_flows, draw_most_recent_execution
from app.engine.errors import (
    ContextSerdeError,
    ContextStateError,
    SerializationError,
    WorkflowCancelledByUser,
    WorkflowConfigurationError,
    WorkflowError,
    WorkflowRuntimeError,
    WorkflowStepDoesNotExistError,
    WorkflowTimeoutError,
    WorkflowValidationError,
)
from app.engine.events import (
    Event,
    EventBatch,
    HumanResponseEvent,
    InputRequiredEvent,
    InternalDispatchEvent,
    StartEvent,
    StepFailedEvent,
    StepState,
    StepStateChanged,
    StopEvent,
    UnhandledEvent,
    WorkflowCancelledEvent,
    WorkflowFailedEvent,
    WorkflowIdleEvent,
    WorkflowTimedOutEvent,
)
from app.engine.exceptions import UnknownError
from app.engine.handler import Handler
from app.engine.representation import WorkflowGraph, get_workflow_representation
from app.engine.resource import Resource, ResourceConfig, ResourceError, ResourceManager
from app.engine.retry import (
    ConstantDelayRetryPolicy,
    ExponentialBackoffRetryPolicy,
    RetryInfo,
    RetryPolicy,
    retry_policy,
)
from app.engine.serializers import JsonPickleSerializer, JsonSerializer, PickleSerializer
from app.engine.steps import catch_error, step
from app.engine.store import DictState
from app.engine.workflow import Workflow

WorkflowHandler = Handler
"""The name that users of the language know it by."""

__all__ = [
    "All",
    "Checkpoint",
    "Collect",
    "ConstantDelayRetryPolicy",
    "Context",
    "ContextSerdeError",
    "ContextStateError",
    "DictState",
    "Event",
    "EventBatch",
    "ExponentialBackoffRetryPolicy",
    "Handler",
    "HumanResponseEvent",
    "InputRequiredEvent",
    "InternalDispatchEvent",
    "JsonPickleSerializer",
    "JsonSerializer",
    "PickleSerializer",
    "Resource",
    "ResourceConfig",
    "ResourceError",
    "ResourceManager",
    "RetryInfo",
    "RetryPolicy",
    "SerializationError",
    "StartEvent",
    "StepFailedEvent",
    "StepState",
    "StepStateChanged",
    "StopEvent",
    "Take",
    "UnhandledEvent",
    "UnknownError",
    "Workflow",
    "WorkflowCancelledByUser",
    "WorkflowCancelledEvent",
    "WorkflowCheckpointer",
    "WorkflowConfigurationError",
    "WorkflowError",
    "WorkflowFailedEvent",
    "WorkflowGraph",
    "WorkflowHandler",
    "WorkflowIdleEvent",
    "WorkflowRuntimeError",
    "WorkflowStepDoesNotExistError",
    "WorkflowTimedOutEvent",
    "WorkflowTimeoutError",
    "WorkflowValidationError",
    "catch_error",
    "draw_all_possible_flows",
    "draw_most_recent_execution",
    "get_workflow_representation",
    "retry_policy",
    "step",
]
