"""Cairn: event-driven workflows over HTTP, with a checkpoint at every completed step.

    from cairn import Context, Event, StartEvent, StopEvent, Workflow, step

The first use of one of these names imports the language; `cairn --version` does without.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cairn.engine import *

__version__ = "0.1.0"

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

if not TYPE_CHECKING:  # a type checker would accept any name otherwise

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from cairn import engine

        return getattr(engine, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
