"""Events: the values that steps take and give, and that a run shows to its watchers."""

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
"""An exception; `model_dump` gives the name of its class and its message."""


class Event(Dynamic):
    """A value on its way from one step to the next; a step is started by the type of its event.

        class JokeEvent(Event):
            joke: str

        JokeEvent(joke="...", language="en").language

    Fields are declared as in any pydantic model. Fields that are not declared are *dynamic*: an
    event accepts any, and reads them as attributes. The mapping methods (`keys`, `values`, `items`,
    `len`, `in`, indexing) cover the dynamic fields; `get` and `to_dict` cover the declared ones,
    too.

    An event is sealed when a step sends or returns the event: later changes to the object have no
    effect. Each receiving step gets a copy of its own.
    """


class StartEvent(Event):
    """Begins a run; its fields are the arguments of `Workflow.run`.

        await JokeFlow().run(topic="pirates")  # StartEvent(topic="pirates")

    A subclass declares the fields that a workflow needs; `run` refuses fields that do not fit.
    """


class StopEvent(Event):
    """Ends a run.

        return StopEvent(result=42)  # await workflow.run() == 42

    Pending work of the run is dropped.

    Attributes:
        result: the result of the run. The result of a subclass is the event itself.
    """

    result: Any = None

    def __init__(self, result: Any = UNSET, **fields: Any) -> None:
        super().__init__(**fields, **({} if result is UNSET else {"result": result}))

    @model_serializer(mode="wrap")
    def _dump(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {k: v for k, v in write(self).items() if k != "result" or self._has_result()}

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        fields = [field for field in super().__repr_args__() if field[0] != "result"]
        return [*fields, ("result", self.result)] if self._has_result() else fields

    def __str__(self) -> str:
        return str(self.result) if self._has_result() else repr(self)

    def _has_result(self) -> bool:
        # Subclasses often leave `result` unset, and have fields of their own.
        return "result" in self.model_fields_set


def outcome(stop: StopEvent) -> Any:
    """Return the result of a run that has ended with the event.

    A plain StopEvent gives its `result`, a subclass the event itself, as in LlamaIndex Workflows.
    """
    return stop.result if type(stop) is StopEvent else stop


class InputRequiredEvent(Event):
    """Asks a person for input. The event goes to the run's watchers rather than to a step."""


class HumanResponseEvent(Event):
    """Answers an `InputRequiredEvent`, on behalf of a person; sent to the run from outside."""


class EventBatch(Event):
    """Several events in one, as a checkpoint holds them.

    A batch is the input of a step with a list parameter or several event parameters, and the output
    of a step that returned a list.

    Attributes:
        events: the events, in the order of the returned list or of the parameters; for `Take(n)`,
            in the order of arrival.
    """

    events: list[SerializeAsAny[Event]]


class StepFailedEvent(Event):
    """Starts a `@catch_error` step after all attempts at a step have failed.

    Attributes:
        step_name: the name of the failed step.
        input_event: the event that the step was started with.
        exception: the exception of the last attempt, without its traceback. An exception that
            cannot be built again from its class and arguments is an `UnknownError` with the same
            message.
        attempts: the number of attempts.
        elapsed_seconds: seconds from the start of the first attempt to the end of the last.
        failed_at: the time of the last failure, in UTC.
    """

    step_name: str
    input_event: SerializeAsAny[Event]
    exception: Raised
    attempts: int
    elapsed_seconds: float
    failed_at: datetime


class WorkflowFailedEvent(StopEvent):
    """The last event shown by a run that failed.

    Attributes:
        step_name: the name of the failed step.
        exception: the exception of the last attempt.
        attempts: the number of attempts.
        elapsed_seconds: seconds from the start of the first attempt to the end of the last.
    """

    step_name: str
    exception: Raised
    attempts: int
    elapsed_seconds: float


class WorkflowTimedOutEvent(StopEvent):
    """The last event shown by a run that took longer than its workflow's `timeout`.

    Attributes:
        timeout: the workflow's timeout, in seconds.
        active_steps: the names of the steps under way.
    """

    timeout: float
    active_steps: list[str]


class WorkflowCancelledEvent(StopEvent):
    """The last event shown by a run that was cancelled."""


class InternalDispatchEvent(Event):
    """Base of events about the inside of a run, for `stream_events(expose_internal=True)`."""


class StepState(Enum):
    """The state of a step's work on one event."""

    PREPARING = "preparing"
    """The step waits for a free step worker."""
    RUNNING = "running"
    """The step is being executed."""
    NOT_RUNNING = "not_running"
    """The step has completed, failed or been interrupted, or waits for an event."""


class StepStateChanged(InternalDispatchEvent):
    """A step has begun or ended its work on an event.

    Attributes:
        name: the name of the step.
        step_state: the new state.
        worker_id: the number of the step worker, from 0; empty if there is none.
        input_event_name: the name of the event's type.
        output_event_name: the name of the type that the step has returned.
    """

    name: str
    step_state: StepState
    worker_id: str = ""
    input_event_name: str
    output_event_name: str | None = None


class WorkflowIdleEvent(InternalDispatchEvent):
    """A run has no work left, and waits for an event from outside."""


class UnhandledEvent(InternalDispatchEvent):
    """An event was sent that no step takes, and no step waits for.

    Attributes:
        event_type: the name of the event's type.
        qualified_name: the same, with the module.
        step_name: always `None`, since an event for one step is either delivered or refused.
        idle: whether the run had no work left.
    """

    event_type: str
    qualified_name: str
    step_name: str | None = None
    idle: bool
