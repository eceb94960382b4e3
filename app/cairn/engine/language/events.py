"""Events: what steps take and give, and what a run shows of itself."""

from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from typing import Annotated, Any

from pydantic import (
    PlainSerializer,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from cairn.engine.language.dynamic import Dynamic
from cairn.engine.values.exception_json import message_of

UNSET: Any = ...


def _in_words(error: Exception) -> dict[str, str]:
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}"
    return {"exception_type": name, "exception_message": message_of(error)}


Raised = Annotated[Exception, PlainSerializer(_in_words)]
"""An exception; in `model_dump` its class's name and its message."""


class Event(Dynamic):
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


class StartEvent(Event):
    """Begins a run. Its fields are what the run was started with."""


class StopEvent(Event):
    """Ends a run: what `await handler` returns is `result`, or the event itself for a subclass."""

    result: Any = None

    def __init__(self, result: Any = UNSET, **fields: Any) -> None:
        super().__init__(**fields, **({} if result is UNSET else {"result": result}))

    @model_serializer(mode="wrap")
    def _dump(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {k: v for k, v in write(self).items() if k != "result" or self._has_result()}

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        others = [it for it in super().__repr_args__() if it[0] != "result"]
        return [*others, ("result", self.result)] if self._has_result() else others

    def __str__(self) -> str:
        return str(self.result) if self._has_result() else repr(self)

    def _has_result(self) -> bool:
        """Whether it was given one: many subclasses have fields of their own instead."""
        return "result" in self.model_fields_set


def outcome(stop: StopEvent) -> Any:
    """The outcome of a run that ended with this event.

    That is the `result` of a plain `StopEvent`, and the event itself for a subclass.
    """
    return stop.result if type(stop) is StopEvent else stop


class InputRequiredEvent(Event):
    """Asks a person for something. It goes to whoever watches the run, not to a step."""


class HumanResponseEvent(Event):
    """What a person answered."""


class EventBatch(Event):
    """Several events as one.

    The input of a step with several event parameters or a list parameter, or a returned list.
    """

    events: list[SerializeAsAny[Event]]


class StepFailedEvent(Event):
    """Starts a `@catch_error` step: another step has failed for good.

    Attributes:
        step_name: that step.
        input_event: the event it was started with.
        exception: what it raised last; without a traceback, and where its class is not known to
            the workflow, an `UnknownError` with the same message.
        attempts: how many times it was tried.
        elapsed_seconds: from the first attempt's beginning to the last one's end.
        failed_at: when the last one failed, in UTC.
    """

    step_name: str
    input_event: SerializeAsAny[Event]
    exception: Raised
    attempts: int
    elapsed_seconds: float
    failed_at: datetime


class WorkflowFailedEvent(StopEvent):
    """The last event that a run shows of which a step has failed for good.

    Attributes: as of StepFailedEvent.
    """

    step_name: str
    exception: Raised
    attempts: int
    elapsed_seconds: float


class WorkflowTimedOutEvent(StopEvent):
    """The last event that a run shows which has taken longer than its workflow's `timeout`.

    Attributes:
        timeout: in seconds.
        active_steps: the steps that were under way.
    """

    timeout: float
    active_steps: list[str]


class WorkflowCancelledEvent(StopEvent):
    """The last event that a run shows which was cancelled."""


class InternalDispatchEvent(Event):
    """What a run shows of its inside, to those who ask: `stream_events(expose_internal=True)`."""


class StepState(Enum):
    """How a delivery of a step stands."""

    PREPARING = "preparing"
    """It waits for a worker."""
    RUNNING = "running"
    NOT_RUNNING = "not_running"
    """It has completed, failed or been interrupted, or waits for an event."""


class StepStateChanged(InternalDispatchEvent):
    """A step has begun or ended.

    Attributes:
        name: the step's.
        step_state: how it stands now.
        worker_id: which of the step's workers it has, counted from 0; "" for none.
        input_event_name: the type of the event it works on.
        output_event_name: the type of the event it has returned.
    """

    name: str
    step_state: StepState
    worker_id: str = ""
    input_event_name: str
    output_event_name: str | None = None


class WorkflowIdleEvent(InternalDispatchEvent):
    """Nothing is left to do but wait for an event from outside."""


class UnhandledEvent(InternalDispatchEvent):
    """An event has gone out which no step takes, and no step waits for.

    Attributes:
        event_type: the name of its type.
        qualified_name: with the module.
        step_name: the step it was for, if for one.
        idle: whether nothing was left to do then.
    """

    event_type: str
    qualified_name: str
    step_name: str | None = None
    idle: bool
