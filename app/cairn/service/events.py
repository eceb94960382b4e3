"""Events of clients, made of JSON."""

import json
from collections.abc import Mapping

from pydantic import ValidationError

from cairn.engine import Event, SerializationError, Workflow
from cairn.engine.language.dynamic import undeclared
from cairn.engine.near import near
from cairn.engine.values.extended_json import Json
from cairn.engine.values.sealed import SealedEvent
from cairn.errors import InvalidEvent, Problem, in_words


def event_of(
    workflow: Workflow, kind: type[Event], data: Mapping[str, Json], where: tuple[str, ...]
) -> SealedEvent:
    """The event that these fields make, sealed.

    Raises:
        InvalidEvent: the fields do not make an event, or cannot be stored.
    """
    try:
        return workflow.graph.serializer.seal(read_event(kind, data, where))
    except SerializationError as error:  # JSON can be nested deeper than what can be stored
        raise InvalidEvent(str(error), [Problem(where, str(error))]) from None


def read_event(kind: type[Event], data: Mapping[str, Json], where: tuple[str, ...]) -> Event:
    """The event that these fields make.

    Pydantic reads the fields as JSON text: text can be a date there, and a list a set. From Python
    objects, a strict model would refuse these, and a union would take different members.

    Args:
        kind: the type of the event.
        data: the fields.
        where: the place of the fields in the request.

    Raises:
        InvalidEvent: the fields do not make an event.
    """
    unknown = undeclared(kind, data)
    if unknown:
        lacks = f"{kind.__name__} has no such field."
        problems = [
            Problem((*where, name), f"{lacks}{near(name, kind.model_fields)}") for name in unknown
        ]
        raise InvalidEvent(
            f"These fields do not make a {kind.__name__}: {in_words(problems)}", problems
        )
    try:
        return kind.model_validate_json(json.dumps(data))
    except ValidationError as error:
        problems = [Problem((*where, *e["loc"]), e["msg"]) for e in error.errors()]
        message = f"These fields do not make a {kind.__name__}: {in_words(problems)}."
        raise InvalidEvent(message, problems) from None
