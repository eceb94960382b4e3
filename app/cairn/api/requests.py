"""Requests as endpoints take them: the body, query parameters of pages, and headers."""

import base64
import binascii
import hashlib
import re
from typing import Annotated, Any

from fastapi import Header, Request
from pydantic import BaseModel, ConfigDict, Field

from cairn import apart
from cairn.api import bodies
from cairn.errors import InvalidCursor, Problem
from cairn.service import Service
from cairn.store.requests import Repeatable

LONGEST_WAIT = 300.0  # seconds
ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # a position in a list, as a regular expression
NUMBER = r"\d{1,18}"


class ApiRequest(Request):
    """A request with the service and a strictly parsed body.

    Endpoints take these values from here: a dependency of FastAPI's for each would cost as much
    time as reading the body.
    """

    @property
    def service(self) -> Service:
        """The service that the application serves."""
        service: Service = self.app.state.service
        return service

    async def json(self) -> Any:
        """The body as JSON, parsed in a thread if large.

        Raises:
            JSONDecodeError: the body is not JSON.
            TooManyValues: the body has more values than the limit.
            Invalid: the body has a number that is too large, or too many fields.
        """
        body, most_values = await self.body(), self.app.state.max_body_values
        if len(body) > apart.LARGE_BYTES:
            return await apart.do(bodies.parse, body, most_values)
        return bodies.parse(body, most_values)

    async def repeatable(self, key: str | None) -> Repeatable | None:
        """The identity of a request with an idempotency key; `None` without a key."""
        if key is None:
            return None
        return Repeatable(key, self.url.path, hashlib.sha256(await self.body()).hexdigest())


class Paged(BaseModel):
    """Query parameters of a page of a list. Unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=1000, description="How many items at most.")
    cursor: str | None = Field(None, description="The `next_cursor` of the page before.")

    def position(self, pattern: str) -> str | None:
        """The position that the cursor stands for; `None` without a cursor.

        Args:
            pattern: the regular expression of the list's positions.

        Raises:
            InvalidCursor: the cursor stands for no position of that form.
        """
        if self.cursor is None:
            return None
        try:
            position = base64.urlsafe_b64decode(self.cursor.encode()).decode()
        except (binascii.Error, ValueError):
            position = ""
        if not re.fullmatch(pattern, position):
            message = "This is no cursor of this list. Pass a `next_cursor` as it was given."
            raise InvalidCursor(message, [Problem(("query", "cursor"), message)])
        return position


def cursor(position: str | None) -> str | None:
    """The opaque cursor for a position; `None` at the end of a list."""
    return None if position is None else base64.urlsafe_b64encode(position.encode()).decode()


Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Repeats are given what the first request with this key made.",
    ),
]
Prefer = Annotated[
    str | None,
    Header(description="`wait=30`: wait up to that many seconds for the run to end (RFC 7240)."),
]


def wait_seconds(prefer: str | None) -> float:
    """The seconds that the client prefers to wait (RFC 7240, section 4.3).

    Args:
        prefer: the header `Prefer`.

    Returns:
        At most `LONGEST_WAIT`; 0 without such a preference.
    """
    for preference in re.split(r"[,;]", prefer or ""):
        wait = re.fullmatch(r"\s*wait\s*=\s*\"?(\d{1,9})\"?\s*", preference, re.IGNORECASE)
        if wait:
            return min(float(wait[1]), LONGEST_WAIT)
    return 0.0  # RFC 7240, section 2: unknown preferences are ignored
