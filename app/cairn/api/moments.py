"""Moments in query strings: ISO 8601, with an offset."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator, Field

WANTED = (
    "give a moment in ISO 8601 with an offset, as 2026-01-31T12:00:00Z or "
    "2026-01-31T13:00:00%2B01:00 (a + is written %2B in a URL)"
)


def moment(text: object) -> datetime:
    """The moment of a text, in UTC.

    Raises:
        ValueError: the text is no moment, or has no offset.
    """
    try:
        found = datetime.fromisoformat(str(text))
        if found.tzinfo is None:
            raise ValueError(f"without an offset it is no moment: {WANTED}")
        return found.astimezone(UTC)
    except OverflowError:
        raise ValueError(WANTED) from None
    except ValueError as error:
        raise ValueError(str(error) if WANTED in str(error) else WANTED) from None


Moment = Annotated[datetime, BeforeValidator(moment), Field(examples=["2026-01-31T12:00:00Z"])]
