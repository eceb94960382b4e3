"""The engine: runs of workflows, and the language in which workflows are written."""

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
from cairn.engine.language.checkpoint import Checkpoint
from cairn.engine.language.collect import All, Collect, Take
from cairn.engine.language.context import Context
from cairn.engine.language.events import (
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
from cairn.engine.language.resources.config import ResourceConfig
from cairn.engine.language.resources.errors import ResourceError
from cairn.engine.language.resources.manager import ResourceManager
from cairn.engine.language.resources.resource import Resource
from cairn.engine.language.retry import (
    ConstantDelayRetryPolicy,
    ExponentialBackoffRetryPolicy,
    RetryInfo,
    RetryPolicy,
    retry_policy,
)
from cairn.engine.language.serializers import JsonPickleSerializer, JsonSerializer, PickleSerializer
from cairn.engine.language.state_store import DictState
from cairn.engine.language.steps import catch_error, step
from cairn.engine.library.checkpointer import WorkflowCheckpointer
from cairn.engine.library.handler import Handler
from cairn.engine.library.workflow import Workflow
from cairn.engine.representation import WorkflowGraph, get_workflow_representation
from cairn.engine.values.exception_json import UnknownError

WorkflowHandler = Handler
"""The name of `Handler` in LlamaIndex Workflows."""

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
