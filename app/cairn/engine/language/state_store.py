"""`ctx.store`: the state of a context, by path, whole, or edited in one go."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel

from cairn.engine.errors import WorkflowRuntimeError
from cairn.engine.language.dynamic import Dynamic
from cairn.engine.values.merging import ABSENT

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

    def last(self, key: str) -> Any:
        """A copy of the value as it was last read or written here; KeyError where there is none."""

    def known(self) -> Mapping[str, Any]:
        """The values that were last read or written here, by key, as JSON or ABSENT."""

    def update(self, key: str, value: Any, known: Mapping[str, Any]) -> None:
        """Write the value, unless it equals the known one, of which it is a changed copy."""

    def editing(self) -> AbstractAsyncContextManager[object]:
        """Held by one edit of the whole state at a time."""

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
            top = here = self._cells.last(first)
        except KeyError:
            top = here = self._default(first, {})
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
        """Replace the whole state, or the fields of a base class.

        Args:
            state: of the declared type, for the whole; of a base class of that type, for the fields
                of the base class.

        Raises:
            WorkflowRuntimeError: the state is of another type.
        """
        is_part = type(state) in self._type.__mro__ and type(state) is not self._type
        if not isinstance(state, self._type) and not is_part:
            raise WorkflowRuntimeError(
                f"The state is a {self._type.__name__}, and cannot be replaced by a "
                f"{type(state).__name__}."
            )
        fields = _fields(state)
        for key in () if is_part else self._cells.keys():
            if key not in fields:
                self._cells.delete(key)
        known = self._cells.known()
        for key, value in fields.items():
            self._cells.update(key, value, known)

    async def clear(self) -> None:
        """Empty the state, or set it to the defaults of its declared type."""
        await self.set_state(self._type())

    @asynccontextmanager
    async def edit_state(self) -> AsyncIterator[S]:
        """The whole state to change in place; what has changed is written at the end.

        One edit goes on at a time: the next one of the run begins with what this one has left.
        Nothing is written if the block raises.
        """
        async with self._cells.editing():
            state = self._whole()
            before = _fields(self._whole())
            # While the block goes on, the step may read on: what it changes here is what was
            # read here.
            read = self._cells.known()
            was = {key: read.get(key, ABSENT) for key in {*before, *self._cells.keys()}}
            yield state
            after = _fields(state)
            for key in before.keys() - after.keys():
                self._cells.delete(key)
            for key, value in after.items():
                # A default that nobody has touched is no write.
                if was.setdefault(key, ABSENT) is not ABSENT or value != before.get(key, ABSENT):
                    self._cells.update(key, value, was)

    def _top(self, key: str, default: Any, *, follow: bool = True) -> Any:
        if default is MISSING:
            default = self._default(key, MISSING)
        return self._cells.get(key, default, follow=follow)

    def _default(self, key: str, otherwise: Any) -> Any:
        field = self._type.model_fields.get(key)
        if field is None or field.is_required():
            return otherwise
        return field.get_default(call_default_factory=True)

    def _whole(self) -> S:
        names = dict.fromkeys([*self._type.model_fields, *self._cells.keys()])
        found = {}
        for name in names:
            try:
                found[name] = self._top(name, MISSING, follow=False)
            except KeyError:
                continue  # a field without a default, which nobody has set: pydantic says so
        return self._type(**found)


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
