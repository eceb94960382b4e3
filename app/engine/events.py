"""Events: what steps take and give."""

from typing import Any

from app.engine.dynamic import Dynamic


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

    @property
    def outcome(self) -> Any:
        """What the run came to: the plain event's `result`; of a subclass, the event."""
        return self.result if type(self) is StopEvent else self


class InputRequiredEvent(Event):
    """Asks a person for something. It goes to whoever watches the run, not to a step."""


class HumanResponseEvent(Event):
    """What a person answered."""
