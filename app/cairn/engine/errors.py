"""Errors of workflows: every class here is a `WorkflowError`."""


class WorkflowError(Exception):
    """Base of all errors that the engine raises."""


class WorkflowConfigurationError(WorkflowError):
    """A workflow, a context or a checkpoint does not fit the object or argument it is used with."""


class WorkflowValidationError(WorkflowConfigurationError, ValueError):
    """A definition is wrong: a step's signature, an option, or the events between steps."""


class WorkflowStepDoesNotExistError(WorkflowValidationError):
    """The workflow has no step of the given name."""


class WorkflowRuntimeError(WorkflowError):
    """A step, or a caller of a run, did a thing that the engine cannot carry out."""


class WorkflowTimeoutError(WorkflowError):
    """The run took longer than its workflow's `timeout`."""


class WorkflowCancelledByUser(WorkflowError):
    """The run was cancelled."""


class ContextStateError(WorkflowRuntimeError):
    """A method of a context was called where its work is impossible, such as outside of a step."""


class ContextSerdeError(WorkflowError):
    """A context cannot be read from the given dict, or cannot be written as a dict."""


class SerializationError(WorkflowError, TypeError):
    """A value cannot be stored as JSON, or stored JSON cannot be read back."""
