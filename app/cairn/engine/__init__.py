"""How a run moves, and the language in which workflows are written."""

from cairn.engine.checkpoint import Checkpoint
from cairn.engine.checkpointer import WorkflowCheckpointer
from cairn.engine.collect import All, Collect, Take
from cairn.engine.context import Context
from cairn.engine.drawing import draw_all_possible_flows, draw_most_recent_execution
from cairn.engine.errors import (
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
from cairn.engine.events import (
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
from cairn.engine.exceptions import UnknownError
from cairn.engine.handler import Handler
from cairn.engine.representation import WorkflowGraph, get_workflow_representation
from cairn.engine.resource import Resource, ResourceConfig, ResourceError, ResourceManager
from cairn.engine.retry import (
    ConstantDelayRetryPolicy,
    ExponentialBackoffRetryPolicy,
    RetryInfo,
    RetryPolicy,
    retry_policy,
)
from cairn.engine.serializers import JsonPickleSerializer, JsonSerializer, PickleSerializer
from cairn.engine.steps import catch_error, step
from cairn.engine.store import DictState
from cairn.engine.workflow import Workflow

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
