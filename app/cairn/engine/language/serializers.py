"""Serializers to choose from: JSON, or pickle for what JSON has no room for."""

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
    """Writes values as text, and reads them back equal: what `Context.to_dict` can be given."""

    @abstractmethod
    def serialize(self, value: Any) -> str:
        """The value as text."""

    @abstractmethod
    def deserialize(self, text: str) -> Any:
        """The value that was written."""


class JsonSerializer(BaseSerializer):
    """Writes JSON's types, dates, sets, tuples, bytes, and pydantic models, dataclasses and enums.

    Types are read back by their names: those given, and those that this process has written. They
    are never imported.
    """

    _written: ClassVar[WeakValueDictionary[str, type]] = WeakValueDictionary()

    def __init__(self, types: Iterable[type] = ()) -> None:
        self._types = {kind.__name__: kind for kind in types}

    def serialize(self, value: Any) -> str:
        """The value as text.

        Raises:
            SerializationError: something in it cannot be stored; the message says where and what.
        """
        return orjson.dumps(self._alone().encode(value)).decode()

    def deserialize(self, text: str) -> Any:
        """The value that was written.

        Raises:
            SerializationError: it is no such text, or holds a type that is not known.
        """
        try:
            written = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise SerializationError(f"No serializer has written this: {error}") from None
        return self._alone().decode(written)

    def bind(self, types: Mapping[str, type], find: Find) -> Serializer:
        """What writes and reads the values of a workflow with these types."""
        return Serializer({**self._types, **types}, find)

    def _alone(self) -> Serializer:
        return _Learning(self._types, self._written.get)


class PickleSerializer(JsonSerializer):
    """A JsonSerializer that pickles values without a JSON form.

    For use as a library only: to read a pickle executes its content, so that no pickle from
    elsewhere may be read.
    """

    def bind(self, types: Mapping[str, type], find: Find) -> Serializer:
        """What writes and reads the values of a workflow with these types."""
        return _Pickling({**self._types, **types}, find)

    def _alone(self) -> Serializer:
        return self.bind({}, self._written.get)


JsonPickleSerializer = PickleSerializer
"""The name that users of the older language know it by."""

PICKLED = "pickle"


class _Learning(Serializer):
    def _shape(self, cls: type) -> Any:
        if is_declarable(cls):
            JsonSerializer._written[cls.__name__] = cls
        return super()._shape(cls)


class _Pickling(Serializer):
    def _encode_declared(self, value: Any, kind: type, depth: int) -> Json:
        if self._shape(kind) is not None or isinstance(value, Exception):
            return super()._encode_declared(value, kind, depth)
        try:
            pickled = pickle.dumps(value)
        except Exception:  # nothing writes it: the message of the other says what it is
            return super()._encode_declared(value, kind, depth)
        return {TAG: PICKLED, VALUE: base64.b64encode(pickled).decode()}

    def _decode_tagged(self, tag: str, written: dict[str, Json]) -> Any:
        if tag == PICKLED:
            return pickle.loads(base64.b64decode(written[VALUE]))
        return super()._decode_tagged(tag, written)
