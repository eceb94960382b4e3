"""The resources of steps, as nodes and edges of the graph."""

import functools
import inspect
import os
from collections.abc import Hashable, Mapping
from contextlib import suppress
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema

from cairn.engine.language.resources.config import ResourceConfig
from cairn.engine.language.resources.descriptor import ResourceDescriptor
from cairn.engine.language.resources.errors import ResourceError
from cairn.engine.language.resources.resource import Resource
from cairn.engine.language.steps import Step
from cairn.engine.representation.nodes import (
    WorkflowGraphEdge,
    WorkflowResourceConfigNode,
    WorkflowResourceNode,
)


class Resources:
    """The resources of the steps added so far, each once."""

    def __init__(self) -> None:
        self.nodes: list[WorkflowResourceNode | WorkflowResourceConfigNode] = []
        self.edges: list[WorkflowGraphEdge] = []
        self._ids: dict[Hashable, str] = {}

    def add(self, step: Step) -> None:
        """Add the resources and workflows of the step, and the dependencies of the resources."""
        self._need(step.name, step.signature.resources)
        for name, parameter in step.signature.workflows.items():
            cls = _name(parameter.annotation)
            if ("workflow", name) not in self._ids:  # workflows are added by the parameter's name
                self._node(
                    ("workflow", name),
                    WorkflowResourceNode(id="", label=cls or name, type_name=cls),
                )
            self._edge(step.name, ("workflow", name), name)

    def _need(self, user: str, resources: Mapping[str, ResourceDescriptor]) -> None:
        for parameter, resource in resources.items():
            if resource.key not in self._ids:
                self._add(resource)
            self._edge(user, resource.key, parameter)

    def _add(self, resource: ResourceDescriptor) -> None:
        if isinstance(resource, ResourceConfig):
            self._node(resource.key, _config_node(resource))
            return
        self._node(resource.key, _resource_node(resource))
        with suppress(ResourceError):  # `validate` reports resources that cannot be made
            self._need(self._ids[resource.key], resource.dependencies())

    def _node(self, key: Hashable, node: WorkflowResourceNode | WorkflowResourceConfigNode) -> None:
        node.id = self._ids[key] = f"{node.node_type}_{len(self.nodes) + 1}"
        self.nodes.append(node)

    def _edge(self, user: str, key: Hashable, parameter: str) -> None:
        edge = WorkflowGraphEdge(source=user, target=self._ids[key], label=parameter)
        self.edges.append(edge)


def schema_of(model: type[BaseModel]) -> dict[str, Any] | None:
    """Return the model's JSON Schema; `None` if the type of a field has none."""
    try:
        return model.model_json_schema()
    except PydanticInvalidForJsonSchema:
        return None


def _config_node(config: ResourceConfig) -> WorkflowResourceConfigNode:
    type_name = _name(config.model)
    value = None
    with suppress(ResourceError):
        value = config.read().model_dump(mode="json")  # hides pydantic's secrets
    return WorkflowResourceConfigNode(
        id="",
        label=config.label or type_name or config.name,
        type_name=type_name,
        config_file=os.path.abspath(config.config_file),
        path_selector=config.path_selector,
        config_schema=None if config.model is None else schema_of(config.model),
        config_value=value,
        description=config.description,
    )


def _resource_node(resource: ResourceDescriptor) -> WorkflowResourceNode:
    node = WorkflowResourceNode(id="", label=resource.name, getter_name=resource.name)
    if not isinstance(resource, Resource):
        return node
    factory = resource.factory
    while isinstance(factory, functools.partial):
        factory = factory.func
    factory = inspect.unwrap(factory)
    # A built-in function has no signature; an annotation may exist for type checkers only.
    with suppress(NameError, TypeError, ValueError):
        made = factory if inspect.isclass(factory) else inspect.signature(factory).return_annotation
        node.type_name = _name(made)
    with suppress(OSError, TypeError):
        node.source_file = inspect.getsourcefile(factory)
        node.source_line = inspect.getsourcelines(factory)[1]
    node.label = node.type_name or resource.name
    node.description = inspect.getdoc(factory)
    return node


def _name(annotation: Any) -> str | None:
    """Return the name of a class, or the text of an annotation kept as text."""
    if annotation is None or annotation is inspect.Parameter.empty:
        return None
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", None)
