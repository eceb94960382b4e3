"""Serialization: values of JSON's types and of a workflow's declared types, as JSON and back.

A value is read back equal, and of the same type. Types are found by name in a fixed set, never by
import.
"""

import dataclasses
import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from pydantic import BaseModel, ValidationError

from cairn.engine.errors import SerializationError
from cairn.engine.language.events import Event
from cairn.engine.values import exception_json
from cairn.engine.values.extended_json import (
    GROUPS,
    HIGHEST,
    LOWEST,
    READERS,
    TAG,
    VALUE,
    WRITERS,
    Json,
    write_number,
)
from cairn.engine.values.sealed import SealedEvent, as_value

MAX_DEPTH = 100  # one level can take two levels of JSON, and orjson stops at some 250


PLAIN_TYPES = frozenset({str, int, float, bool, type(None)})
"""The types whose values are the same in JSON."""


class Serializer:
    """Writes and reads values of JSON's types, of common standard types, and of declared types.

    Dates, times, bytes, tuples, sets, Decimal, UUID, complex numbers and POSIX paths are common
    standard types. Exceptions are kept as in `exception_json`.

    Args:
        types: the declared types by name: pydantic models, dataclasses and enums.
        find: looks up a type that `types` lacks, by name; `None` means unknown.
    """

    def __init__(
        self,
        types: Mapping[str, type],
        find: Callable[[str], type | None] = lambda _: None,
    ) -> None:
        self._types = dict(types)
        self._find = find
        self._shapes: dict[type, _Shape] = {}
        self._events: dict[str, type[Event]] = {}

    def seal(self, event: Event) -> SealedEvent:
        """Return the event as JSON, as its fields are now.

        Raises:
            SerializationError: a field's value cannot be stored; the message names the field.
        """
        shape = self._shapes.get(type(event)) or self._shape(type(event))
        if shape is None:
            raise SerializationError(_unknown(type(event), type(event).__name__))
        try:
            data, private, unset = self._fields(event, 1)
        except _Unstorable:
            raise self._explain(event, type(event).__name__) from None
        return SealedEvent(shape.name, data, private, unset)

    def open(self, sealed: SealedEvent) -> Event:
        """Return a new event, equal to the sealed one.

        Raises:
            SerializationError: the type of the event is not known (any more), or the stored fields
                do not fit its class.
        """
        cls = self._events.get(sealed.type) or self._event_type(sealed.type)
        event: Event = self._model(cls, sealed.data, sealed.private, sealed.unset)
        return event

    def encode(self, value: Any, label: str = "value") -> Json:
        """Return the value as JSON.

        Args:
            value: the value to write.
            label: the name of the value in error messages.

        Raises:
            SerializationError: a part of the value cannot be stored; the message tells its place
                and type.
        """
        try:
            return self._encode(value, 0)
        except _Unstorable:
            raise self._explain(value, label) from None

    def decode(self, written: Json) -> Any:
        """Return a new value, equal to the encoded one.

        Raises:
            SerializationError: a type in the value is not known (any more), or stored fields do not
                fit their class.
        """
        kind = type(written)
        if kind is list:
            return [self.decode(item) for item in written]
        if kind is not dict:
            return written
        tag = written.get(TAG)
        if tag is None:
            return {key: self.decode(item) for key, item in written.items()}
        return self._decode_tagged(tag, written)

    def _encode(self, value: Any, depth: int) -> Json:
        kind = type(value)
        if kind is str:
            if not value.isascii():
                _check_text(value)
            return value
        if kind is bool or value is None:
            return value
        if kind is int and LOWEST <= value <= HIGHEST:
            return value
        if kind is int or kind is float:
            return write_number(value)
        if depth > MAX_DEPTH:
            raise _Unstorable
        if kind is list:
            return [self._encode(item, depth + 1) for item in value]
        if kind is dict:
            return self._encode_dict(value, depth)
        writer = WRITERS.get(kind)
        if writer is not None:
            return {TAG: kind.__name__, VALUE: writer(value)}
        if kind in (tuple, set, frozenset):
            return {TAG: kind.__name__, VALUE: self._encode_group(value, kind, depth)}
        return self._encode_declared(value, kind, depth)

    def _encode_dict(self, value: dict[Any, Any], depth: int) -> Json:
        if TAG not in value and all(type(key) is str for key in value):
            for key in value:
                if not key.isascii():
                    _check_text(key)
            return {key: self._encode(item, depth + 1) for key, item in value.items()}
        pairs = [[self._encode(k, depth + 1), self._encode(v, depth + 1)] for k, v in value.items()]
        return {TAG: "dict", VALUE: pairs}

    def _encode_group(self, value: Iterable[Any], kind: type, depth: int) -> list[Json]:
        items = [self._encode(item, depth + 1) for item in value]
        # Sorted, since equal sets can iterate in different orders.
        return items if kind is tuple else sorted(items, key=repr)

    def _encode_declared(self, value: Any, kind: type, depth: int) -> Json:
        if isinstance(value, Exception):
            return {TAG: "Exception", VALUE: exception_json.write(value)}
        shape = self._shape(kind)
        if shape is None:
            raise _Unstorable
        if isinstance(value, enum.Flag):  # a combination of members has no name
            return {TAG: shape.name, VALUE: self._encode(value.value, depth + 1)}
        if isinstance(value, enum.Enum):
            return {TAG: shape.name, VALUE: value.name}
        if not isinstance(value, BaseModel):
            data = {name: self._encode(getattr(value, name), depth + 1) for name in shape.fields}
            return {TAG: shape.name, VALUE: data}
        return as_value(SealedEvent(shape.name, *self._fields(value, depth + 1)))

    def _fields(
        self, model: BaseModel, depth: int
    ) -> tuple[dict[str, Json], dict[str, Json] | None, tuple[str, ...]]:
        names = self._shapes[type(model)].fields
        values, encode = model.__dict__, self._encode
        data: dict[str, Json] = {}
        for name in names:
            value = values[name]
            kind = type(value)
            if kind is str:
                is_plain = value.isascii()
            elif kind is int:
                is_plain = LOWEST <= value <= HIGHEST
            else:
                is_plain = kind is bool or value is None
            data[name] = value if is_plain else encode(value, depth)
        if model.__pydantic_extra__:
            data |= {name: encode(v, depth) for name, v in model.__pydantic_extra__.items()}
        private = None
        if model.__pydantic_private__:
            private = {name: encode(v, depth) for name, v in model.__pydantic_private__.items()}
        unset: tuple[str, ...] = ()
        if len(model.__pydantic_fields_set__) < len(data):
            unset = tuple(name for name in names if name not in model.__pydantic_fields_set__)
        return data, private, unset

    def _decode_tagged(self, tag: str, written: dict[str, Json]) -> Any:
        value = written[VALUE]
        if tag == "dict":
            return {self.decode(key): self.decode(item) for key, item in value}
        if tag in GROUPS:
            return GROUPS[tag](self.decode(item) for item in value)
        if tag in READERS:
            return READERS[tag](value)
        if tag == "Exception":
            return exception_json.read(value, self.type_named)
        cls = self.type_named(tag)
        if cls is None:
            raise SerializationError(f"There is no type {tag!r} in this workflow (any more).")
        if issubclass(cls, enum.Flag):
            return cls(self.decode(value))
        if issubclass(cls, enum.Enum):
            return _member(cls, value)
        if issubclass(cls, BaseModel):
            unset = tuple(written.get("$unset", ()))
            return self._model(cls, value, written.get("$private"), unset)
        return self._dataclass(cls, value)

    def _model(
        self,
        cls: type[BaseModel],
        written: Mapping[str, Json],
        private: Mapping[str, Json] | None,
        unset: tuple[str, ...],
    ) -> Any:
        """Restore a model without validation, since validators may not accept their own output.

        If the fields of the class have changed, the model is validated, to give new fields their
        defaults.
        """
        shape = self._shapes.get(cls) or self._shape(cls)
        assert shape is not None
        decode = self.decode
        data = {
            name: item if type(item) in PLAIN_TYPES else decode(item)
            for name, item in written.items()
        }
        has_more = len(data) > len(shape.fields)
        if not shape.names.issubset(data) or (has_more and not shape.keeps_extra):
            try:
                return cls.model_validate(data)
            except ValidationError as error:
                raise SerializationError(_misfit(shape.name, error)) from None
        fields_set = set(data)
        fields_set.difference_update(unset)
        extra: dict[str, Any] = {}
        if has_more:
            extra = {name: data.pop(name) for name in list(data) if name not in shape.names}
        model: BaseModel = object.__new__(cls)
        put = object.__setattr__
        put(model, "__dict__", data)
        put(model, "__pydantic_extra__", extra if shape.keeps_extra else None)
        put(model, "__pydantic_fields_set__", fields_set)
        put(
            model,
            "__pydantic_private__",
            self._private(cls, private) if shape.has_private else None,
        )
        return model

    def _private(self, cls: type[BaseModel], written: Mapping[str, Json] | None) -> dict[str, Any]:
        attributes = cls.__private_attributes__
        stored = {name: self.decode(item) for name, item in (written or {}).items()}
        fresh = {
            name: attr.get_default() for name, attr in attributes.items() if name not in stored
        }
        return fresh | stored

    def _dataclass(self, cls: type, written: Mapping[str, Json]) -> Any:
        data = {name: self.decode(item) for name, item in written.items()}
        shape = self._shape(cls)
        assert shape is not None
        if data.keys() != shape.names:
            try:
                return cls(**data)
            except TypeError as error:
                raise SerializationError(
                    f"A stored {cls.__name__} does not fit its class any more: {error}"
                ) from None
        value: Any = object.__new__(cls)
        for name, item in data.items():
            object.__setattr__(value, name, item)
        return value

    def _event_type(self, name: str) -> type[Event]:
        cls = self.type_named(name)
        if cls is None or not issubclass(cls, Event):
            raise SerializationError(
                f"There is no event type {name!r} in this workflow (any more). "
                "Bring the class back, or rerun from a checkpoint before it."
            )
        self._events[name] = cls
        return cls

    def _shape(self, cls: type) -> "_Shape | None":
        shape = self._shapes.get(cls)
        if shape is None and self.type_named(cls.__name__) is cls:
            shape = self._shapes[cls] = _Shape.of(cls)
        return shape

    def type_named(self, name: str) -> type | None:
        """Return the type that is written under the name; `None` if unknown."""
        cls = self._types.get(name)
        if cls is None:
            cls = self._find(name)
            if cls is not None:
                self._types[name] = cls
        return cls

    def learn(self, cls: type) -> None:
        """Add a declarable type, unless its name is taken."""
        if is_declarable(cls) and self.type_named(cls.__name__) is None:
            self._types[cls.__name__] = cls

    def _explain(self, value: Any, label: str) -> SerializationError:
        """Find the part of the value that cannot be stored, once encoding has failed."""
        where, culprit = self._culprit(value, label, 0)
        if type(culprit) is str:
            return SerializationError(f"{where} holds text that is not valid Unicode.")
        if type(culprit) in (list, dict, tuple, set, frozenset):
            return SerializationError(f"{where} is nested too deep, or holds itself.")
        return SerializationError(_unknown(type(culprit), where))

    def _culprit(self, value: Any, where: str, depth: int) -> tuple[str, Any]:
        parts: Iterable[tuple[str, Any]] = ()
        if isinstance(value, dict):
            parts = [(f"{where}[{key!r}]", item) for key, item in value.items()]
            parts += [(f"a key of {where}", key) for key in value]
        elif isinstance(value, (list, tuple, set, frozenset)):
            parts = [(f"{where}[{number}]", item) for number, item in enumerate(value)]
        elif self._shape(type(value)) and not isinstance(value, enum.Enum):
            named = dict(vars(value)) if hasattr(value, "__dict__") else {}
            if isinstance(value, BaseModel):
                named |= (value.__pydantic_extra__ or {}) | (value.__pydantic_private__ or {})
            parts = [(f"{where}.{name}", item) for name, item in named.items()]
        if depth <= MAX_DEPTH:
            for place, item in parts:
                try:
                    self._encode(item, depth + 1)
                except _Unstorable:
                    return self._culprit(item, place, depth + 1)
        return where, value


class _Unstorable(Exception):
    """A part of the value cannot be stored; `Serializer._explain` finds the part."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """The fields and settings of a declared type, as needed for writing and reading its values."""

    name: str
    fields: tuple[str, ...]
    names: frozenset[str]
    keeps_extra: bool = False
    has_private: bool = False

    @classmethod
    def of(cls, declared: type) -> "_Shape":
        if issubclass(declared, BaseModel):
            fields = tuple(declared.model_fields)
            keeps_extra = declared.model_config.get("extra") == "allow"
            has_private = bool(declared.__private_attributes__)
            return cls(declared.__name__, fields, frozenset(fields), keeps_extra, has_private)
        if dataclasses.is_dataclass(declared):
            fields = tuple(field.name for field in dataclasses.fields(declared))
        else:
            fields = ()
        return cls(declared.__name__, fields, frozenset(fields))


def is_declarable(kind: object) -> TypeGuard[type]:
    """Return whether the type is one that a workflow can declare: a model, dataclass or enum."""
    return isinstance(kind, type) and (
        issubclass(kind, (BaseModel, enum.Enum)) or dataclasses.is_dataclass(kind)
    )


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Unstorable from None


def _member(cls: type[enum.Enum], name: str) -> enum.Enum:
    try:
        return cls[name]
    except KeyError:
        raise SerializationError(f"{cls.__name__} has no member {name!r} (any more).") from None


def _unknown(kind: type, where: str) -> str:
    if is_declarable(kind):
        return (
            f"{where} is a {kind.__name__}, a type that its workflow does not declare. Name it in "
            "an annotation of one of the workflow's events, or in the workflow's `types`."
        )
    return (
        f"{where} is a {kind.__module__}.{kind.__qualname__}, which cannot be stored. Keep JSON "
        "types, dates, sets, tuples, bytes, pydantic models, dataclasses or enums."
    )


def _misfit(name: str, error: ValidationError) -> str:
    """Return a message: the stored fields do not fit the class, the reasons, and a remedy."""
    problems = error.errors()
    reasons = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in problems)
    lacking = [str(e["loc"][0]) for e in problems if e["type"] == "missing"]
    remedy = (
        f"Give {' and '.join(lacking)} a default in the class, as in `{lacking[0]}: str = ''`"
        if lacking
        else "Let the class take what it took before, too"
    )
    return f"A stored {name} does not fit its class any more: {reasons}. {remedy}, then rerun."
