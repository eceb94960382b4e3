"""Contexts as dicts of JSON's types, and back."""

from collections.abc import Mapping
from typing import Any

from app.engine.deltas import from_json, to_json
from app.engine.errors import ContextSerdeError, SerializationError
from app.engine.serializers import JsonSerializer
from app.engine.snapshot import Snapshot, whole

VERSION = 1


def write_context(
    snapshot: Snapshot, is_running: bool, serializer: JsonSerializer | None
) -> dict[str, Any]:
    """A context that stands there as a dict."""
    written: Any = to_json(whole(snapshot))
    if serializer is not None:
        written = serializer.serialize(written)
    return {"version": VERSION, "is_running": is_running, "snapshot": written}


def read_context(
    data: Mapping[str, Any], serializer: JsonSerializer | None
) -> tuple[Snapshot, bool]:
    """Where the context stood, and whether a run was under way there.

    Raises:
        ContextSerdeError: it is no such dict.
    """
    try:
        version, is_running, written = data["version"], data["is_running"], data["snapshot"]
        if version != VERSION:
            raise ContextSerdeError(
                f"This context was written in version {version!r} of its format, and version "
                f"{VERSION} is read here."
            )
        if isinstance(written, str):
            written = (serializer or JsonSerializer()).deserialize(written)
        return Snapshot().after(from_json(written)), bool(is_running)
    except (KeyError, TypeError, ValueError, AttributeError, SerializationError) as error:
        raise ContextSerdeError(
            "This is not what Context.to_dict has made, or it was made with another serializer: "
            f"{type(error).__name__}: {error}"
        ) from error
