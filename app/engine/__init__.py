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
from app.engine.retry import (
    ConstantDelayRetryPolicy,
    ExponentialBackoffRetryPolicy,
    RetryInfo,
    RetryPolicy,
    retry_policy,
)
from app.engine.steps import step
from app.engine.store import DictState
from app.engine.workflow import Workflow

__all__ = [
    "Checkpoint",
    "ConstantDelayRetryPolicy",
    "Context",
    "DictState",
    "Event",
    "ExponentialBackoffRetryPolicy",
    "Handler",
    "HumanResponseEvent",
    "InputRequiredEvent",
    "RetryInfo",
    "RetryPolicy",
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
    "retry_policy",
    "step",
]
