"""Query parameters of the search for checkpoints, with tests of the events' fields."""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from pydantic import ConfigDict, Field

from cairn.api.moments import Moment
from cairn.api.requests import ID, NUMBER, Paged
from cairn.engine.core.records import Status
from cairn.errors import Invalid, Problem
from cairn.store.checkpoint_filters import CheckpointFilters
from cairn.store.field_tests import FieldTest, Relation

Names = Annotated[list[str], Field(max_length=20)]
TEST = re.compile(r"(input_event|output_event)\.(.+?)(?:__([a-z]+))?")
RELATIONS = [each for each in get_args(Relation) if each != "is"]
MOST_TESTS, MOST_VALUES = 10, 100


class CheckpointSearch(Paged):
    """Query parameters of the search for checkpoints, each of which matches all filters given.

    Besides these: `output_event.score__lt=0.5`, `input_event.topic=math`. Behind a field, `__in`
    (values with commas between), `__lt`, `__le`, `__gt`, `__ge`, `__exists` (`true` or `false`),
    and, within one run or context, `__contains`.
    """

    model_config = ConfigDict(extra="allow")

    workflow: Names = Field([], description="Any of these workflows.")
    run_id: UUID | None = Field(None, description="The checkpoints of this run.")
    context_id: UUID | None = Field(None, description="The checkpoints in this context.")
    run_status: list[Status] = Field([], max_length=20, description="Of runs as these stand now.")
    last_completed_step: Names = Field([], description="Any of these steps completed last.")
    input_event_type: Names = Field([], description="Any of these types of the event it took.")
    output_event_type: Names = Field([], description="Any of these types of the event it gave.")
    created_after: Moment | None = Field(None, description="Left then, or later.")
    created_before: Moment | None = Field(None, description="Left earlier.")
    tag: Names = Field([], description="Any of these tags.")
    descendant_of: UUID | None = Field(
        None, description="A run or a checkpoint: all that was rerun from it, however far."
    )
    is_head: bool | None = Field(None, description="Whether it is its run's newest.")
    order: Literal["created_at", "-created_at"] = Field(
        "created_at", description="`created_at`: the oldest checkpoint first."
    )
    include: Literal["events"] | None = Field(None, description="`events`: with both events.")

    @property
    def events(self) -> bool:
        """True if the checkpoints are to have their events."""
        return self.include == "events"

    @property
    def newest_first(self) -> bool:
        """True if the newest checkpoint comes first."""
        return self.order == "-created_at"

    def after(self) -> str | None:
        """The position behind which the page begins.

        Raises:
            InvalidCursor: the cursor is none of this list.
        """
        return self.position(ID if self.run_id is None else NUMBER)

    def filters(self) -> CheckpointFilters:
        """The filters in the form that the store takes.

        Raises:
            Invalid: a test of a field is not possible.
        """
        names = CheckpointFilters.__slots__
        given = {name: getattr(self, name) for name in names if name != "fields"}
        return CheckpointFilters(**given, fields=self._tests())

    def _tests(self) -> list[FieldTest]:
        extra = self.model_extra or {}
        for name in extra:
            if not TEST.fullmatch(name):
                raise _wrong(name, "there is no such parameter")
        tests = [test for name, text in extra.items() for test in self._test(name, text)]
        if len(tests) > MOST_TESTS:
            raise _wrong("fields", f"test at most {MOST_TESTS} fields")
        return tests

    def _test(self, name: str, text: Any) -> Iterator[FieldTest]:
        match = TEST.fullmatch(name)
        assert match is not None  # as `_tests` has seen
        of, path, relation = match[1], match[2].split("."), match[3] or "is"
        if not isinstance(text, str):
            raise _wrong(name, "give it once")
        if match[3] is not None and relation not in RELATIONS:
            raise _wrong(name, f"there is no __{relation}; there are __{', __'.join(RELATIONS)}")
        if relation == "contains" and self.run_id is None and self.context_id is None:
            raise _wrong(name, "__contains is for one run or context: give run_id or context_id")
        if relation == "exists" and text not in ("true", "false"):
            raise _wrong(name, "say true or false")
        if relation in ("lt", "le", "gt", "ge") and not text:
            raise _wrong(name, "give a number or a text to compare with")
        values: Sequence[str] = text.split(",") if relation == "in" else [text]
        if len(values) > MOST_VALUES:
            raise _wrong(name, f"give at most {MOST_VALUES} values")
        yield FieldTest(of, tuple(path), relation, values)  # type: ignore[arg-type]


def _wrong(name: str, message: str) -> Invalid:
    return Invalid(f"query.{name}: {message}.", [Problem(("query", name), message)])
