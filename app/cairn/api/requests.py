"""What endpoints share in being asked: the request, pages, headers."""

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
ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # what cursors of lists stand for
NUMBER = r"\d{1,18}"


class ApiRequest(Request):
    """A request as endpoints are given it: what can be had from it directly is no dependency, each
    of which would cost as much as reading the body."""

    @property
    def service(self) -> Service:
        """Whom it asks."""
        service: Service = self.app.state.service
        return service

    async def json(self) -> Any:
        """The body, as JSON.

        Raises:
            JSONDecodeError: it is not JSON.
            TooManyValues: it has more values than are taken.
            Invalid: it cannot be what any endpoint takes.
        """
        body, most_values = await self.body(), self.app.state.max_body_values
        if len(body) > apart.LARGE_BYTES:
            return await apart.do(bodies.parsed, body, most_values)
        return bodies.parsed(body, most_values)

    async def repeatable(self, key: str | None) -> Repeatable | None:
        """What tells it from other requests, if it has a key."""
        if key is None:
            return None
        return Repeatable(key, self.url.path, hashlib.sha256(await self.body()).hexdigest())


class Paged(BaseModel):
    """Which part of a list. A parameter that is not known is refused, never ignored."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=1000, description="How many items at most.")
    cursor: str | None = Field(None, description="The `next_cursor` of the page before.")

    def position(self, pattern: str) -> str | None:
        """What the cursor stands for, if it is one that we gave out.

        Raises:
            InvalidCursor: it is not.
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
    """A position as it is given out: nothing that clients should read."""
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
    """How long the client prefers to wait: at most `LONGEST_WAIT`, and 0 if it does not say."""
    for preference in re.split(r"[,;]", prefer or ""):
        wait = re.fullmatch(r"\s*wait\s*=\s*\"?(\d{1,9})\"?\s*", preference, re.IGNORECASE)
        if wait:
            return min(float(wait[1]), LONGEST_WAIT)
    return 0.0  # RFC 7240: preferences that are not understood are ignored
