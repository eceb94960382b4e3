"""Why a resource cannot be made."""

from cairn.engine.errors import WorkflowConfigurationError


class ResourceError(WorkflowConfigurationError, ValueError):
    """A resource cannot be made as it is declared; the message says why, and what to do."""


class ResourceFileNotFoundError(ResourceError, FileNotFoundError):
    """The configuration file of a resource does not exist."""
