"""FieldTest: a test of one field of a checkpoint's event."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import Any, Literal

from cairn.engine.language.ctx_state import shown
from cairn.engine.values.sealed import SealedEvent

Of = Literal["input_event", "output_event"]
Relation = Literal["is", "in", "lt", "le", "gt", "ge", "exists", "contains"]
ABSENT = object()
ORDERS: dict[Relation, Callable[[Any, Any], bool]] = {"lt": lt, "le": le, "gt": gt, "ge": ge}


@dataclass(frozen=True, slots=True)
class FieldTest:
    """A test of one field of a checkpoint's event, which compares values of one type alone.

    Attributes:
        of: the event.
        path: the names of the field, and of fields within the field.
        relation: the relation that the field has to the values. `contains` is that of a text to a
            part, or of a list to an item.
        values: the values as texts; one, but for `in`.
    """

    of: Of
    path: tuple[str, ...]
    relation: Relation
    values: Sequence[str]

    def holds(self, taken: SealedEvent | None, given: SealedEvent | None) -> bool:
        """True if the field of the event passes.

        Args:
            taken: the event that the step took.
            given: the event that the step gave.
        """
        event = taken if self.of == "input_event" else given
        found: Any = ABSENT if event is None else shown(event)["data"]
        for name in self.path:
            found = found.get(name, ABSENT) if isinstance(found, dict) else ABSENT
        if self.relation == "exists":
            return (found is not ABSENT) == (self.values[0] == "true")
        if found is ABSENT:
            return False
        return any(self._relates(found, value) for value in self.values)

    def _relates(self, found: Any, value: str) -> bool:
        if self.relation == "contains":
            if isinstance(found, list):
                return any(_equal(item, value) for item in found)
            return isinstance(found, str) and value in found
        if self.relation in ORDERS:
            wanted = value if isinstance(found, str) else number(value)
            is_ordered = isinstance(found, (str, int, float)) and not isinstance(found, bool)
            return is_ordered and wanted is not None and ORDERS[self.relation](found, wanted)
        return _equal(found, value)


def _equal(found: Any, value: str) -> bool:
    match found:
        case str():
            return found == value
        case bool():
            return value == str(found).lower()
        case None:
            return value == "null"
        case int() | float():
            return found == number(value)
    return False


def number(text: str) -> int | float | None:
    """The number of a text; `None` for other texts, and for those that are no finite number."""
    for kind in (int, float):
        try:
            found = kind(text)
        except ValueError:
            continue
        return found if found - found == 0 else None
    return None
