"""The types of problems: codes, statuses and JSON. `openapi/problems.md` explains each code."""

from collections.abc import Iterator, Sequence
from typing import Any

from cairn.errors import (
    Conflict,
    Damaged,
    Invalid,
    NotFound,
    Problem,
    Refusal,
    TooManyValues,
    Unavailable,
)

MEDIA_TYPE = "application/problem+json"
STATUS: dict[type[Refusal], int] = {
    NotFound: 404,
    Conflict: 409,
    TooManyValues: 413,
    Invalid: 422,
    Damaged: 500,
    Unavailable: 503,
}

OF_HTTP = {
    400: "malformed-request",
    403: "other-origin",
    404: "not-found",
    405: "method-not-allowed",
    408: "too-slow",
    413: "body-too-large",
    415: "media-type-not-json",
    421: "other-host",
    422: "invalid-request",
    431: "head-too-large",
    500: "unexpected",
    503: "unavailable",
}
"""The codes, by status, of refusals by the framework, the middleware and the protocol."""


def status_of(refusal: type[Refusal]) -> int:
    """The HTTP status for a class of refusals."""
    return next(status for kind, status in STATUS.items() if issubclass(refusal, kind))


def _subclasses(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)


STATUSES = {code: status for status, code in OF_HTTP.items()} | {
    kind.code: status_of(kind) for kind in _subclasses(Refusal)
}
"""The status of each code."""


def type_of(code: str) -> str:
    """The URI of a type of problems, as a relative reference (RFC 9457, section 3.1.1)."""
    return f"/problems/{code}"


def body(code: str, detail: str, errors: Sequence[Problem] | None = None) -> dict[str, Any]:
    """The JSON of a problem (RFC 9457).

    Args:
        code: a code of `STATUSES`.
        detail: the mistake and the remedy, for people.
        errors: the mistakes one by one; `None` leaves the member `errors` out.
    """
    written: dict[str, Any] = {
        "type": type_of(code),
        "title": code.replace("-", " ").capitalize(),
        "status": STATUSES[code],
        "detail": detail,
    }
    if errors is not None:
        written["errors"] = [{"where": list(e.where), "message": e.message} for e in errors]
    return written
