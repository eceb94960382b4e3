"""Contexts as dicts of JSON's types, and back."""

from collections.abc import Mapping
from typing import Any

from cairn.engine.core.delta_json import from_json, to_json
from cairn.engine.core.snapshot import Snapshot, whole
from cairn.engine.errors import ContextSerdeError, SerializationError
from cairn.engine.language.serializers import BaseSerializer, JsonSerializer
from cairn.engine.values.extended_json import copied

VERSION = 1


def write_context(
    snapshot: Snapshot, is_running: bool, serializer: BaseSerializer | None, include_state: bool
) -> dict[str, Any]:
    """A context as a dict of JSON's types.

    Args:
        snapshot: the snapshot of the context.
        is_running: whether a run is under way.
        serializer: writes the state and the rest of the snapshot as text, if given.
        include_state: whether to write the state.
    """
    state: Any = copied(dict(snapshot.state)) if include_state else {}
    pending: Any = copied(to_json(whole(snapshot.with_state({}))))
    if serializer is not None:
        state, pending = serializer.serialize(state), serializer.serialize(pending)
    return {"version": VERSION, "is_running": is_running, "state": state, "snapshot": pending}


def read_context(
    data: Mapping[str, Any], serializer: BaseSerializer | None
) -> tuple[Snapshot, bool]:
    """The snapshot of a context, and true if a run was under way.

    Args:
        data: a dict made by `write_context`.
        serializer: reads text; by default as JSON.

    Raises:
        ContextSerdeError: `Context.to_dict` has not made the dict, or not with this serializer.
    """
    try:
        version, is_running = data["version"], data["is_running"]
        state, pending = data["state"], data["snapshot"]
        if version != VERSION:
            raise ContextSerdeError(
                f"This context was written in version {version!r} of its format, and version "
                f"{VERSION} is read here."
            )
        if isinstance(pending, str):
            read = (serializer or JsonSerializer()).deserialize
            state, pending = read(state), read(pending)
        snapshot = Snapshot().after(from_json(copied(pending)))
        return snapshot.with_state(copied(state)), bool(is_running)
    except (KeyError, TypeError, ValueError, AttributeError, SerializationError) as error:
        raise ContextSerdeError(
            "This is not what Context.to_dict has made, or it was made with another serializer: "
            f"{type(error).__name__}: {error}"
        ) from error
