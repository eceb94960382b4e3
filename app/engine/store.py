"""`ctx.store`: the state of a context, by path, whole, or edited in one go."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel

from app.engine.dynamic import Dynamic
from app.engine.errors import WorkflowRuntimeError

S = TypeVar("S", bound=BaseModel)
MISSING: Any = ...


class DictState(Dynamic):
    """A state without declared fields: anything goes, under any name."""


class Cells(Protocol):
    """The state, key by key: as a step sees it, or as a context at rest has it."""

    def keys(self) -> list[str]:
        """The keys there are."""

    def get(self, key: str, default: Any = MISSING, *, follow: bool = True) -> Any:
        """A copy of the value; KeyError where there is neither it nor a default.

        What is changed in place in a copy that is followed counts as written.
        """

    def set(self, key: str, value: Any) -> None:
        """Write the value as it is now."""

    def update(self, key: str, value: Any) -> None:
        """Write the value, if it is another than the one that was read."""

    def delete(self, key: str) -> None:
        """Take the key away."""


class StateStore(Generic[S]):
    """The state of a context.

    What a step writes through it is seen by the run's other steps at once, and kept when the step
    completes, as with `ctx.set`. Where several steps have changed the same, changes merge: numbers
    add, lists append, mappings merge by key, sets unite; anything else is replaced by the later.
    """

    def __init__(self, cells: Cells, state_type: type[S]) -> None:
        self._cells = cells
        self._type = state_type

    async def get(self, path: str, default: Any = MISSING) -> Any:
        """The value at a path of keys, fields and positions: `"user.names.0"`. A copy.

        Raises:
            ValueError: there is nothing there, and no default is given.
        """
        first, *rest = _parts(path)
        try:
            value = self._top(first, default if not rest else MISSING)
            for part in rest:
                value = _child(value, part)
        except (KeyError, IndexError, AttributeError):
            if default is MISSING:
                raise ValueError(
                    f"There is nothing at {path!r} in the state. Set it first, or give a default."
                ) from None
            return default
        return value

    async def set(self, path: str, value: Any) -> None:
        """Put the value at the path; mappings that are missing on the way are made.

        Raises:
            SerializationError: it cannot be stored; the message names the key and the type.
            ValueError: the path leads through something that holds nothing.
        """
        first, *rest = _parts(path)
        if not rest:
            self._cells.set(first, value)
            return
        try:
            top = here = self._top(first, MISSING)
        except KeyError:
            top = here = {}
        for part in rest[:-1]:
            try:
                here = _child(here, part)
            except (KeyError, AttributeError):
                _put(here, part, {}, path)
                here = _child(here, part)
        _put(here, rest[-1], value, path)
        self._cells.set(first, top)

    async def get_state(self) -> S:
        """The whole state: a copy, as the declared type or as a `DictState`."""
        return self._whole()

    async def set_state(self, state: S) -> None:
        """Replace the whole state.

        Raises:
            WorkflowRuntimeError: it is not of the declared type.
        """
        if not isinstance(state, self._type):
            raise WorkflowRuntimeError(
                f"The state is a {self._type.__name__}, and cannot be replaced by a "
                f"{type(state).__name__}."
            )
        self._write(_fields(state))

    async def clear(self) -> None:
        """Empty the state, or set it to the defaults of its declared type."""
        self._write(_fields(self._type()))

    @asynccontextmanager
    async def edit_state(self) -> AsyncIterator[S]:
        """The whole state to change in place; what has changed is written at the end.

        Nothing is written if the block raises.
        """
        state = self._whole()
        yield state
        self._write(_fields(state))

    def _top(self, key: str, default: Any, *, follow: bool = True) -> Any:
        field = self._type.model_fields.get(key)
        if default is MISSING and field is not None and not field.is_required():
            default = field.get_default(call_default_factory=True)
        return self._cells.get(key, default, follow=follow)

    def _whole(self) -> S:
        names = dict.fromkeys([*self._type.model_fields, *self._cells.keys()])
        found = {}
        for name in names:
            try:
                found[name] = self._top(name, MISSING, follow=False)
            except KeyError:
                continue  # a field without a default, which nobody has set: pydantic says so
        return self._type(**found)

    def _write(self, fields: dict[str, Any]) -> None:
        for key in self._cells.keys():  # noqa: SIM118  # it is no mapping
            if key not in fields:
                self._cells.delete(key)
        for key, value in fields.items():
            self._cells.update(key, value)


def _parts(path: str) -> list[str]:
    parts = path.split(".") if isinstance(path, str) else []
    if not all(parts) or not parts:
        raise ValueError(f"A path of the state is made of names with dots between, not {path!r}.")
    return parts


def _fields(state: BaseModel) -> dict[str, Any]:
    return {name: getattr(state, name) for name in type(state).model_fields} | (
        state.__pydantic_extra__ or {}
    )


def _child(value: Any, part: str) -> Any:
    """What a path's part names in a value; KeyError, IndexError or AttributeError if nothing."""
    if isinstance(value, dict):
        return value[part]
    if isinstance(value, (list, tuple)):
        if not part.isdecimal():
            raise KeyError(part)
        return value[int(part)]
    return getattr(value, part)


def _put(value: Any, part: str, item: Any, path: str) -> None:
    try:
        if isinstance(value, dict):
            value[part] = item
        elif isinstance(value, list):
            value[int(part)] = item
        else:
            setattr(value, part, item)
    except (ValueError, IndexError, AttributeError, TypeError):
        raise ValueError(
            f"Nothing can be put at {path!r}: a {type(value).__name__} has no place {part!r}."
        ) from None
