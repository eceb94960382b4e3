"""Models with fields that need no declaration."""

from collections.abc import ItemsView, Iterable, Iterator, KeysView, ValuesView
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict


def undeclared(kind: type["Dynamic"], names: Iterable[str]) -> list[str]:
    """Return the names that are no field of the model, and cannot be meant as dynamic fields.

    A model that declares no fields takes any name, and so does a model that sets `extra` in its own
    `model_config`.
    """
    fields = kind.model_fields
    unknown = [name for name in names if name not in fields]
    if not unknown or not fields or not isinstance(kind.model_config.get("extra"), _Inherited):
        return []
    aliases = {alias for f in fields.values() for alias in (f.alias, f.validation_alias)}
    return [name for name in unknown if name not in aliases]


class _Inherited(str):
    """The value of `extra` where a class inherits the setting.

    Pydantic merges the settings of all base classes; the type of this text tells an inherited
    `extra` from one that the class sets.
    """

    __slots__ = ()


ALLOWED: Any = _Inherited("allow")


class Dynamic(BaseModel):
    """A model that accepts undeclared fields, and is a mapping of these.

    `keys`, `values`, `items`, `len`, `in` and indexing cover only the undeclared, *dynamic* fields;
    `get` and `to_dict` cover the declared ones, too.
    """

    model_config = ConfigDict(extra=ALLOWED, arbitrary_types_allowed=True)

    if TYPE_CHECKING:  # for type checkers: such a field can have any name

        def __getattr__(self, field: str) -> Any: ...

        def __setattr__(self, field: str, value: Any) -> None: ...

    def __init__(self, /, **fields: Any) -> None:
        attributes = self.__private_attributes__
        if not attributes:
            super().__init__(**fields)
            return
        private = {name: fields.pop(name) for name in attributes if name in fields}
        super().__init__(**fields)
        for name, value in private.items():
            setattr(self, name, value)

    @property
    def _dynamic(self) -> dict[str, Any]:
        extra = self.__pydantic_extra__
        return {} if extra is None else extra

    def get(self, field: str, default: Any = None) -> Any:
        """Return the value of a declared or dynamic field, or `default` without such a field."""
        if field in type(self).model_fields:
            return getattr(self, field)
        return self._dynamic.get(field, default)

    def to_dict(self) -> dict[str, Any]:
        """Return all fields by name, declared ones first; values are not copied."""
        return {name: getattr(self, name) for name in type(self).model_fields} | self._dynamic

    def keys(self) -> KeysView[str]:
        """Return the names of the dynamic fields."""
        return self._dynamic.keys()

    def values(self) -> ValuesView[Any]:
        """Return the values of the dynamic fields."""
        return self._dynamic.values()

    def items(self) -> ItemsView[str, Any]:
        """Return the dynamic fields as pairs of name and value."""
        return self._dynamic.items()

    def __getitem__(self, field: str) -> Any:
        return self._dynamic[field]

    def __setitem__(self, field: str, value: Any) -> None:
        setattr(self, field, value)

    def __delitem__(self, field: str) -> None:
        del self._dynamic[field]

    def __contains__(self, field: object) -> bool:
        return field in self._dynamic

    def __len__(self) -> int:
        return len(self._dynamic)

    def __iter__(self) -> Iterator[str]:  # type: ignore[override]  # a mapping's, not pydantic's
        return iter(self._dynamic)

    def __bool__(self) -> bool:
        return True  # also without dynamic fields, when its length is 0
