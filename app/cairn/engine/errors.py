"""What can go wrong in a workflow: one class for each kind, all of them a `WorkflowError`."""


class WorkflowError(Exception):
    """Anything the engine itself refuses or gives up on."""


class WorkflowConfigurationError(WorkflowError):
    """A workflow, a context or a checkpoint is used with something that it does not fit."""


class WorkflowValidationError(WorkflowConfigurationError, ValueError):
    """The workflow is put together wrongly: a step's signature, or how steps and events meet."""


class WorkflowStepDoesNotExistError(WorkflowValidationError):
    """The workflow has no step of that name."""


class WorkflowRuntimeError(WorkflowError):
    """A step did something that the engine cannot carry out."""


class WorkflowTimeoutError(WorkflowError):
    """The run took longer than its workflow's `timeout`."""


class WorkflowCancelledByUser(WorkflowError):
    """The run was cancelled."""


class ContextStateError(WorkflowRuntimeError):
    """A context was asked for what it cannot do where it stands: in a step, or outside of one."""


class ContextSerdeError(WorkflowError):
    """A context cannot be made from what was given, or be written."""


class SerializationError(WorkflowError, TypeError):
    """A value cannot be stored as JSON, or what is stored cannot be read back."""
