"""RerunOptions: the changes with which a client wants a rerun to begin."""

from collections.abc import Mapping
from dataclasses import dataclass

from cairn.engine.library.rerun import InFlight, When
from cairn.engine.values.extended_json import Json
from cairn.store.annotations import NO_ANNOTATION, Annotation

EventFields = tuple[str, Mapping[str, Json]]
"""An event of a client: the name of the event's type, and the event's fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RerunOptions:
    """The changes with which a client wants a rerun to begin; by default, there are none.

    Attributes:
        output_event: replaces the event that the checkpoint's step gave.
        input_event: with `when="before"`, replaces the event that the step took.
        state: a JSON Merge Patch (RFC 7396) of the checkpoint's state.
        when: the side of the checkpoint's own step at which the rerun begins.
        in_flight: the treatment of steps that were under way at the checkpoint.
        in_new_context: whether the rerun has a context of its own, with a copy of the state.
        annotation: the words of the client about the rerun.
    """

    output_event: EventFields | None = None
    input_event: EventFields | None = None
    state: Mapping[str, Json] | None = None
    when: When = "after"
    in_flight: InFlight = "rerun"
    in_new_context: bool = False
    annotation: Annotation = NO_ANNOTATION


NO_CHANGES = RerunOptions()


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a run: the completion of a step, or without a step the run's head.

    Attributes:
        step: the name of the step.
        occurrence: 1 for the first completion of the step in the run, -1 for the last.
    """

    step: str | None = None
    occurrence: int = -1
