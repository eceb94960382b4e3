"""Models whose fields need not be declared."""

from collections.abc import ItemsView, Iterable, Iterator, KeysView, ValuesView
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict


def undeclared(kind: type["Dynamic"], names: Iterable[str]) -> list[str]:
    """The names that are no field or alias of the model.

    None for a model that declares no fields, or sets `extra` in its own configuration.
    """
    fields = kind.model_fields
    unknown = [name for name in names if name not in fields]
    if not unknown or not fields or not isinstance(kind.model_config.get("extra"), _Unsaid):
        return []
    aliases = {alias for it in fields.values() for alias in (it.alias, it.validation_alias)}
    return [name for name in unknown if name not in aliases]


class _Unsaid(str):
    """The value of `extra` for a class that does not set one.

    Pydantic keeps only the value in force, without its origin: the type tells.
    """

    __slots__ = ()


ALLOWED: Any = _Unsaid("allow")


class Dynamic(BaseModel):
    """A model that takes fields it does not declare, and is a mapping of those.

    `keys`, `values`, `items`, `len`, `in` and indexing speak of the fields that are not declared;
    `get` and `to_dict` know the declared ones too.
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
        """The value of a field, declared or dynamic, or `default` where there is none."""
        if field in type(self).model_fields:
            return getattr(self, field)
        return self._dynamic.get(field, default)

    def to_dict(self) -> dict[str, Any]:
        """All fields by name, declared ones first. Values are not copied."""
        return {name: getattr(self, name) for name in type(self).model_fields} | self._dynamic

    def keys(self) -> KeysView[str]:
        """The names of the dynamic fields."""
        return self._dynamic.keys()

    def values(self) -> ValuesView[Any]:
        """The values of the dynamic fields."""
        return self._dynamic.values()

    def items(self) -> ItemsView[str, Any]:
        """The dynamic fields as pairs."""
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
        return True  # even without dynamic fields it is something
