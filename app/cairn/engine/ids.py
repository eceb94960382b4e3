"""Ids: UUIDs that count up with time (version 7, RFC 9562)."""

from uuid import UUID

from uuid_utils import uuid7


def new_id() -> UUID:
    """Make an id, greater than all ids made before in this process."""
    return UUID(int=new_number())


def new_number() -> int:
    """Make an id as a plain number, `UUID.int`: three times as fast as `new_id`."""
    return uuid7().int
