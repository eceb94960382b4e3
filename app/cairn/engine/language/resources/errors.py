"""Errors of resources."""

from cairn.engine.errors import WorkflowConfigurationError


class ResourceError(WorkflowConfigurationError, ValueError):
    """A resource cannot be made as declared; the message gives the reason and a remedy."""


class ResourceFileNotFoundError(ResourceError, FileNotFoundError):
    """The configuration file of a resource does not exist."""
