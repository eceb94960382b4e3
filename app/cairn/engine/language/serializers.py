"""Serializers that a user can choose: JSON, or pickle for values that JSON cannot hold."""

import base64
import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import orjson

from cairn.engine.errors import SerializationError
from cairn.engine.language.serialization import Serializer, is_declarable
from cairn.engine.values.extended_json import TAG, VALUE, Json

Find = Callable[[str], type | None]


class BaseSerializer(ABC):
    """Writes values as text and reads them back equal, for `Context.to_dict` and `from_dict`."""

    @abstractmethod
    def serialize(self, value: Any) -> str:
        """Return the value as text."""

    @abstractmethod
    def deserialize(self, text: str) -> Any:
        """Return the value that `serialize` has written."""


class JsonSerializer(BaseSerializer):
    """Writes JSON's types, dates, sets, tuples, bytes, pydantic models, dataclasses and enums.

        Context(workflow).to_dict(serializer=JsonSerializer())

    Types are found by name, among `types` and the types that this process has written; no type is
    imported.

    Args:
        types: types to find by name when reading.
    """

    _written: ClassVar[WeakValueDictionary[str, type]] = WeakValueDictionary()

    def __init__(self, types: Iterable[type] = ()) -> None:
        self._types = {kind.__name__: kind for kind in types}

    def serialize(self, value: Any) -> str:
        """Return the value as JSON text.

        Raises:
            SerializationError: a part of the value cannot be stored; the message tells its place
                and type.
        """
        return orjson.dumps(self._standalone().encode(value)).decode()

    def deserialize(self, text: str) -> Any:
        """Return the value that `serialize` has written.

        Raises:
            SerializationError: the text is no JSON, or holds a type that is not known.
        """
        try:
            written = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise SerializationError(f"No serializer has written this: {error}") from None
        return self._standalone().decode(written)

    def bind(self, types: Mapping[str, type], find: Find) -> Serializer:
        """Return a serializer for the values of a workflow with these types."""
        return Serializer({**self._types, **types}, find)

    def _standalone(self) -> Serializer:
        return _LearningSerializer(self._types, self._written.get)


class PickleSerializer(JsonSerializer):
    """A JsonSerializer that pickles the values JSON cannot hold.

    Reading a pickle can execute any code (see the warning in Python's documentation of `pickle`):
    read only text from trusted sources. A service refuses workflows with this serializer.
    """

    def bind(self, types: Mapping[str, type], find: Find) -> Serializer:
        """Return a serializer for the values of a workflow with these types."""
        return _PicklingSerializer({**self._types, **types}, find)

    def _standalone(self) -> Serializer:
        return self.bind({}, self._written.get)


JsonPickleSerializer = PickleSerializer
"""The name of `PickleSerializer` in earlier versions of LlamaIndex Workflows."""

PICKLED = "pickle"


class _LearningSerializer(Serializer):
    def _shape(self, cls: type) -> Any:
        if is_declarable(cls):
            JsonSerializer._written[cls.__name__] = cls
        return super()._shape(cls)


class _PicklingSerializer(Serializer):
    def _encode_declared(self, value: Any, kind: type, depth: int) -> Json:
        if self._shape(kind) is not None or isinstance(value, Exception):
            return super()._encode_declared(value, kind, depth)
        try:
            pickled = pickle.dumps(value)
        except Exception:  # neither JSON nor pickle can: raise the error of JSON
            return super()._encode_declared(value, kind, depth)
        return {TAG: PICKLED, VALUE: base64.b64encode(pickled).decode()}

    def _decode_tagged(self, tag: str, written: dict[str, Json]) -> Any:
        if tag == PICKLED:
            return pickle.loads(base64.b64decode(written[VALUE]))
        return super()._decode_tagged(tag, written)
