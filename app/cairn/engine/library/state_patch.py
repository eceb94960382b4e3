"""Changes to the state that a rerun begins with."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cairn.engine.core.snapshot import Snapshot
from cairn.engine.errors import WorkflowRuntimeError
from cairn.engine.language.graph import Graph
from cairn.engine.near import near
from cairn.engine.values.extended_json import TAG, VALUE, Json


def with_values(graph: Graph, snapshot: Snapshot, values: Mapping[str, Any]) -> Snapshot:
    """The snapshot with other values of its state, by key.

    Raises:
        WorkflowRuntimeError: a key is no text, or the state has no such key.
        SerializationError: a value cannot be stored.
    """
    put = {}
    for key, value in values.items():
        _check_key(graph, snapshot, key)
        put[key] = graph.serializer.encode(value, f"state[{key!r}]")
    return snapshot.with_state({**snapshot.state, **put})


def with_patch(graph: Graph, snapshot: Snapshot, patch: Mapping[str, Json]) -> Snapshot:
    """The snapshot with its state changed by a JSON Merge Patch (RFC 7396).

    An object is merged into the mapping or the fields that stand under its key; `null` deletes;
    any other value replaces. A field that the workflow's state declares is checked by its type.

    Raises:
        WorkflowRuntimeError: the state has no such key, or a value does not fit its field.
        SerializationError: a value cannot be stored.
    """
    state = dict(snapshot.state)
    for key, change in patch.items():
        _check_key(graph, snapshot, key)
        merged = _merged(state.get(key), change)
        if merged is None:
            state.pop(key, None)
        else:
            state[key] = _checked(graph, key, merged)
    return snapshot.with_state(state)


def _check_key(graph: Graph, snapshot: Snapshot, key: object) -> None:
    if not isinstance(key, str):
        raise WorkflowRuntimeError(f"A key of the state must be text, not {key!r}.")
    known = {*graph.state_type.model_fields, *snapshot.state}
    if graph.state_type.model_config.get("extra") != "allow" and key not in known:
        raise WorkflowRuntimeError(
            f"The state, a {graph.state_type.__name__}, has no {key!r}.{near(key, known)}"
        )


def _merged(target: Json, patch: Json) -> Json:
    """The target after the patch (RFC 7396, section 2), which merges the fields of a type, too."""
    if not isinstance(patch, dict):
        return patch
    fields = target if isinstance(target, dict) else {}
    if TAG in fields and isinstance(fields[VALUE], dict):
        return fields | {VALUE: _merged(fields[VALUE], patch)}
    merged = {} if TAG in fields else dict(fields)
    for key, change in patch.items():
        value = _merged(merged.get(key), change)
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
    return merged


def _checked(graph: Graph, key: str, value: Json) -> Json:
    """The value as the state keeps it: read by the field's type, if the state declares one.

    Raises:
        WorkflowRuntimeError: the value does not fit the field.
    """
    field = graph.state_type.model_fields.get(key)
    serializer = graph.serializer
    if field is None or (isinstance(value, dict) and TAG in value):
        try:
            serializer.decode(value)
        except Exception as error:
            raise WorkflowRuntimeError(f"state[{key!r}] does not fit: {error}") from None
        return value
    adapter: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
    try:
        return serializer.encode(adapter.validate_json(json.dumps(value)), f"state[{key!r}]")
    except ValidationError as error:
        lacks = "; ".join(
            f"{'.'.join(map(str, (key, *each['loc'])))}: {each['msg']}" for each in error.errors()
        )
        raise WorkflowRuntimeError(f"The state does not fit: {lacks}.") from None
