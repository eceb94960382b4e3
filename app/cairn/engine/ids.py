"""Ids: UUIDs that count up with the time (version 7 of RFC 9562)."""

from uuid import UUID

from uuid_utils import uuid7


def new_id() -> UUID:
    """A new id, greater than those before it."""
    return UUID(int=new_number())


def new_number() -> int:
    """A new id as the number that it is: made in a third of the time, once for each checkpoint."""
    return uuid7().int
