"""JSON in, JSON out: values of JSON's own types and of the types a workflow declares, exactly.

What is written reads back equal and of the same type. The names of types stand for a fixed set of
them, and are never imported.
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

MAX_DEPTH = 100  # a level can take two in JSON, and JSON writers stop at some 250


AS_THEY_ARE = frozenset({str, int, float, bool, type(None)})
"""Of these types JSON holds the values as they are."""


class Serializer:
    """Writes and reads values of JSON's types, of common standard types, and of `types`.

    Args:
        types: pydantic models, dataclasses and enums by the name they are written under.
        find: asked for a type that is not among them, by type or by name; `None` means unknown.
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
        """Take the event as it is now.

        Raises:
            SerializationError: a field's value cannot be stored; the message names it.
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
        """A new event, equal to the one that was sealed.

        Raises:
            SerializationError: its type is not known (any more), or has changed so that the
                stored fields do not fit it.
        """
        cls = self._events.get(sealed.type) or self._event_type(sealed.type)
        event: Event = self._model(cls, sealed.data, sealed.private, sealed.unset)
        return event

    def encode(self, value: Any, called: str = "value") -> Json:
        """The value as JSON that `decode` turns back into an equal one.

        Args:
            called: what messages call the value.

        Raises:
            SerializationError: something in it cannot be stored; the message says where and what.
        """
        try:
            return self._encode(value, 0)
        except _Unstorable:
            raise self._explain(value, called) from None

    def decode(self, written: Json) -> Any:
        """A new value, equal to the one that was encoded.

        Raises:
            SerializationError: it holds a type that is not known (any more).
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
        # Equal sets are written alike, whatever order their hashes give.
        return items if kind is tuple else sorted(items, key=repr)

    def _encode_declared(self, value: Any, kind: type, depth: int) -> Json:
        if isinstance(value, Exception):
            return {TAG: "Exception", VALUE: exception_json.write(value)}
        shape = self._shape(kind)
        if shape is None:
            raise _Unstorable
        if isinstance(value, enum.Flag):  # members can be combined, and have no name then
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
        """Restore the model as it was, unvalidated: validators may not be repeatable.

        Only a class whose fields have changed since is validated, so that new fields get their
        defaults.
        """
        shape = self._shapes.get(cls) or self._shape(cls)
        assert shape is not None
        decode = self.decode
        data = {
            name: item if type(item) in AS_THEY_ARE else decode(item)
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
        """The type that is written under the name; `None` where it is not known."""
        cls = self._types.get(name)
        if cls is None:
            cls = self._find(name)
            if cls is not None:
                self._types[name] = cls
        return cls

    def learn(self, cls: type) -> None:
        """Know the type from now on, if nothing else has its name."""
        if is_declarable(cls) and self.type_named(cls.__name__) is None:
            self._types[cls.__name__] = cls

    def _explain(self, value: Any, called: str) -> SerializationError:
        """Find what cannot be stored: walked only when something is known to be wrong."""
        where, culprit = self._culprit(value, called, 0)
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
    """Something in the value cannot be stored; `Serializer._explain` finds out what."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """What there is to write of a declared type."""

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
    """Whether a workflow can declare this type, so that its values can be stored."""
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
    """Why what was stored of a class does not fit it any more, and what to do about it."""
    problems = error.errors()
    said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in problems)
    lacking = [str(e["loc"][0]) for e in problems if e["type"] == "missing"]
    remedy = (
        f"Give {' and '.join(lacking)} a default in the class, as in `{lacking[0]}: str = ''`"
        if lacking
        else "Let the class take what it took before, too"
    )
    return f"A stored {name} does not fit its class any more: {said}. {remedy}, then rerun."
