"""The state of a context, `ctx.store`: by path, as a whole, or edited in place."""

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
    """A state without declared fields: any key, any value that can be stored."""


class Cells(Protocol):
    """The state, key by key, as a step or the holder of a context sees the keys."""

    def keys(self) -> list[str]:
        """Return the keys that exist."""

    def get(self, key: str, default: Any = MISSING, *, follow: bool = True) -> Any:
        """Return a copy of the value, or `default` if the key does not exist.

        Args:
            key: the key of the value.
            default: returned in place of a missing value.
            follow: whether a change to the copy in place counts as written.

        Raises:
            KeyError: the key does not exist, and no default is given.
        """

    def set(self, key: str, value: Any) -> None:
        """Write the value as it is now."""

    def last(self, key: str) -> Any:
        """Return a copy of the value as last read or written through this object.

        Raises:
            KeyError: the key did not exist then.
        """

    def known(self) -> Mapping[str, Any]:
        """Return the values last read or written here, by key, as JSON or `ABSENT`."""

    def update(self, key: str, value: Any, known: Mapping[str, Any]) -> None:
        """Write the value, a changed copy of a known one, unless both are equal.

        Args:
            key: the key of the value.
            value: the value to write.
            known: the values before the change, by key, as JSON or `ABSENT`.
        """

    def editing(self) -> AbstractAsyncContextManager[object]:
        """Return a lock: one edit of the whole state holds the lock at a time."""

    def delete(self, key: str) -> None:
        """Delete the key."""


class StateStore(Generic[S]):
    """The state of a context, as a pydantic model `S`.

    Other steps of the run see a write at once, and the write is kept when the step completes, as
    with `ctx.set`. If several steps have changed the same value, the changes merge: numbers add,
    lists append, mappings merge by key, sets unite; any other value is replaced by the later one.
    """

    def __init__(self, cells: Cells, state_type: type[S]) -> None:
        self._cells = cells
        self._type = state_type

    async def get(self, path: str, default: Any = MISSING) -> Any:
        """Return a copy of the value at a path of keys, fields and list positions.

            await ctx.store.get("user.names.0")

        Args:
            path: names joined by dots; a number is a position in a list or tuple.
            default: returned if no value is at the path.

        Raises:
            ValueError: no value is at the path and no default is given, or the path has an empty
                part.
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
        """Write the value at the path; missing mappings along the path are made.

        Args:
            path: names joined by dots, as in `get`.
            value: the value to write, as it is now.

        Raises:
            SerializationError: the value cannot be stored; the message names the key and the type.
            ValueError: a value along the path cannot hold the next part.
            IndexError: a list along the path has no such position.
            WorkflowRuntimeError: a run is under way, and this is not the store of one of its steps.
        """
        first, *rest = _parts(path)
        if not rest:
            self._cells.set(first, value)
            return
        try:
            top = parent = self._cells.last(first)
        except KeyError:
            top = parent = self._default(first, {})
        for part in rest[:-1]:
            try:
                parent = _child(parent, part)
            except (KeyError, AttributeError):
                _put(parent, part, {}, path)
                parent = _child(parent, part)
        _put(parent, rest[-1], value, path)
        self._cells.set(first, top)

    async def get_state(self) -> S:
        """Return a copy of the whole state, as the declared type or a `DictState`."""
        return self._whole()

    async def set_state(self, state: S) -> None:
        """Replace the whole state.

        A state of a class that the declared type inherits from replaces only the fields of that
        class.

        Raises:
            WorkflowRuntimeError: the state is of neither type, or a run is under way and this is
                not the store of one of its steps.
            SerializationError: a field cannot be stored; the message names the field and the type.
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
        """Empty the state, or reset the fields to the defaults of the declared type."""
        await self.set_state(self._type())

    @asynccontextmanager
    async def edit_state(self) -> AsyncIterator[S]:
        """Return the whole state in an `async with`, to be changed in place.

            async with ctx.store.edit_state() as state:
                state.count += 1

        Changed fields are written at the end of the block. The edits of a run's steps exclude each
        other: an edit begins with the state that the edit before has left. If the block raises, no
        change is written.
        """
        async with self._cells.editing():
            state = self._whole()
            before = _fields(self._whole())
            # The base of the changes is the state as read here. The step may read newer values
            # while the block runs.
            read = self._cells.known()
            was = {key: read.get(key, ABSENT) for key in {*before, *self._cells.keys()}}
            yield state
            after = _fields(state)
            for key in before.keys() - after.keys():
                self._cells.delete(key)
            for key, value in after.items():
                # A default that the block has not changed is no write.
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
                continue  # a field without a default and without a value: pydantic will refuse
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
    """Return the value under one part of a path.

    Raises:
        KeyError, IndexError, AttributeError: no value is there.
    """
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
