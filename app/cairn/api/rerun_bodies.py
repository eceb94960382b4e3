"""The bodies of requests that rerun a checkpoint."""

from typing import Any, Literal

from pydantic import Field, field_validator

from cairn.api.schemas import Body, EventIn, Name, Note, Tags
from cairn.service.rerun_options import EventFields, Place, RerunOptions
from cairn.store.annotations import NO_ANNOTATION


class RerunIn(Body):
    """The changes with which a rerun begins; without a body there are none."""

    # Factories keep the defaults out of the schema: generated clients would demand the fields.
    output_event: EventIn | None = Field(
        default=None, description="Replaces the event that the checkpoint's step gave."
    )
    input_event: EventIn | None = Field(
        default=None, description='With `when: "before"`, replaces the event that the step took.'
    )
    state: dict[str, Any] | None = Field(
        default=None,
        description="A JSON Merge Patch (RFC 7396) of the checkpoint's state: null deletes.",
        examples=[{"tone": "dry"}],
    )
    when: Literal["after", "before"] = Field(
        default_factory=lambda: "after",
        description="`before` executes the checkpoint's own step again; `after`, the default, goes "
        "on from its result.",
    )
    in_flight: Literal["rerun", "adopt", "drop"] = Field(
        default_factory=lambda: "rerun",
        description="What becomes of steps that were under way at the checkpoint: executed again, "
        "which is the default; `adopt` takes the results that they had in the source run, and "
        "`drop` leaves them out.",
    )
    context: Literal["same", "copy"] = Field(
        default_factory=lambda: "same",
        description="`copy` gives the rerun a context of its own; `same` is the default.",
    )
    name: Name | None = Field(default=None, description="A short name of the new run.")
    note: Note | None = Field(default=None, description="A longer text about the new run.")
    tags: Tags = Field(default_factory=list, description="Tags of the new run, which keep it.")

    def options(self) -> RerunOptions:
        """The changes in the form that the service takes."""
        words = {"name": self.name, "note": self.note, "tags": self.tags}
        return RerunOptions(
            output_event=_fields(self.output_event),
            input_event=_fields(self.input_event),
            state=self.state,
            when=self.when,
            in_flight=self.in_flight,
            in_new_context=self.context == "copy",
            annotation=NO_ANNOTATION.changed(words),
        )


class PlaceIn(Body):
    """A completion of a step in a run."""

    step: str = Field(min_length=1, max_length=500, examples=["critique_joke"])
    occurrence: int = Field(
        default_factory=lambda: -1,
        ge=-1_000_000,
        le=1_000_000,
        description="1 for the first time that the step completed in the run, -1 for the last, "
        "which is the default.",
    )

    @field_validator("occurrence")
    @classmethod
    def _is_some(cls, value: int) -> int:
        if value == 0:
            raise ValueError("1 is the first, and -1 is the last: there is no 0")
        return value


class RunRerunIn(RerunIn):
    """The place at which a rerun begins, and the changes."""

    from_: PlaceIn | None = Field(
        default=None,
        alias="from",
        description="Where to begin: at a completion of a step; null is the run's head, from which "
        "a failed run goes on once its code is mended.",
    )

    def place(self) -> Place:
        """The place in the form that the service takes."""
        return Place() if self.from_ is None else Place(self.from_.step, self.from_.occurrence)


def _fields(event: EventIn | None) -> EventFields | None:
    return None if event is None else (event.type, event.data)
