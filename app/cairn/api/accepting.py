"""Content negotiation: the streaming media type that a client accepts (RFC 9110, 12.5.1)."""

SSE, NDJSON = "text/event-stream", "application/x-ndjson"


def preferred(accept: str | None) -> str | None:
    """The first streaming media type that the header `Accept` names; `None` for plain JSON.

    Args:
        accept: the header.
    """
    for part in (accept or "").split(","):
        media_type, *parameters = (word.strip().lower() for word in part.split(";"))
        if "q=0" in parameters:
            continue
        if media_type in (SSE, NDJSON):
            return media_type
        if media_type in ("application/json", "application/*"):
            return None
    return None
