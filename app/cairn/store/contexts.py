"""Contexts: made, and found."""

from uuid import UUID

from sqlmodel import Session

from cairn.engine.ids import new_id
from cairn.store import not_found, requests
from cairn.store.requests import Repeatable
from cairn.store.tables import Context


def create(session: Session, workflow: str, request: Repeatable | None = None) -> Context:
    """Make a context; a repeated request is given the one it made."""
    made = requests.made_by(session, request)
    if made is not None:
        return find(session, made)
    context = Context(id=new_id(), workflow=workflow)
    session.add(context)
    session.flush()
    requests.remember(session, request, context.id)
    return context


def claim(session: Session, context_id: UUID) -> Context:
    """The context, which stays as it is until the transaction ends: nobody starts a run in it
    meanwhile, or deletes it.

    Raises:
        NotFound: there is none.
    """
    context = session.get(Context, context_id, with_for_update=True)
    if context is None:
        raise not_found.context(context_id)
    return context


def find(session: Session, context_id: UUID) -> Context:
    """The context.

    Raises:
        NotFound: there is none.
    """
    context = session.get(Context, context_id)
    if context is None:
        raise not_found.context(context_id)
    return context
