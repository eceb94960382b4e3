"""Events: what steps take and give."""

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict


class Event(BaseModel):
    """What passes from one step to another.

    Declare fields as in any pydantic model, or pass whatever you like: a field that is not
    declared is *dynamic*, and is read the same way.

        class JokeEvent(Event):
            joke: str

        JokeEvent(joke="...", language="en").language

    The mapping methods (`keys`, `values`, `items`, `len`, `in`, indexing) speak of the dynamic
    fields; `get` and `to_dict` know the declared ones too.

    A step's events are taken as they are at the moment they are sent: changing one afterwards
    changes nothing for its receivers, each of whom has a copy of its own.
    """

    model_config = ConfigDict(extra="allow", arbitrary_types_allowed=True)

    if TYPE_CHECKING:  # for type checkers: a dynamic field can have any name

        def __getattr__(self, field: str) -> Any: ...

    def __init__(self, /, **fields: Any) -> None:
        private = {name: fields.pop(name) for name in self.__private_attributes__ if name in fields}
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

    def __contains__(self, field: object) -> bool:
        return field in self._dynamic

    def __len__(self) -> int:
        return len(self._dynamic)

    def __iter__(self) -> Iterator[str]:  # type: ignore[override]  # a mapping's, not pydantic's
        return iter(self._dynamic)

    def __bool__(self) -> bool:
        return True  # an event without dynamic fields is still an event


class StartEvent(Event):
    """Begins a run. Its fields are what the run was started with."""


class StopEvent(Event):
    """Ends a run: what `await handler` returns is `result`, or the event itself for a subclass."""

    result: Any = None

    @property
    def outcome(self) -> Any:
        """What the run came to: the plain event's `result`; of a subclass, the event."""
        return self.result if type(self) is StopEvent else self


class InputRequiredEvent(Event):
    """Asks a person for something. It goes to whoever watches the run, not to a step."""


class HumanResponseEvent(Event):
    """What a person answered."""
