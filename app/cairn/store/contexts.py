"""Contexts: made, and found."""

from uuid import UUID

from sqlmodel import Session

from cairn.engine.ids import new_id
from cairn.store import not_found, requests
from cairn.store.requests import Repeatable
from cairn.store.tables import Context


def create(session: Session, workflow: str, request: Repeatable | None = None) -> Context:
    """Make a context, or find the context that the repeated request has made.

    Args:
        session: the session.
        workflow: the name of the context's workflow.
        request: the request, if the request can be repeated.

    Raises:
        KeyReused: the request is repeated with another body.
        NotFound: the context of the repeated request has been deleted meanwhile.
    """
    made = requests.made_by(session, request)
    if made is not None:
        return find(session, made)
    context = Context(id=new_id(), workflow=workflow)
    session.add(context)
    session.flush()
    requests.remember(session, request, context.id)
    return context


def claim(session: Session, context_id: UUID) -> Context:
    """Lock the context until the transaction ends.

    No run is started in the context meanwhile, and the context is not deleted.

    Raises:
        NotFound: there is no such context.
    """
    context = session.get(Context, context_id, with_for_update=True)
    if context is None:
        raise not_found.context(context_id)
    return context


def find(session: Session, context_id: UUID) -> Context:
    """The context's row.

    Raises:
        NotFound: there is no such context.
    """
    context = session.get(Context, context_id)
    if context is None:
        raise not_found.context(context_id)
    return context
