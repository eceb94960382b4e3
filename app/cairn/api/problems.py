"""Refusals as responses of the type `application/problem+json` (RFC 9457)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.exceptions import HTTPException
from starlette.routing import Route

from cairn.api.examples import REFUSED, WRONG
from cairn.api.headers import RETRY_AFTER
from cairn.api.problem_types import MEDIA_TYPE, OF_HTTP, STATUSES, body, status_of, type_of
from cairn.errors import MOST_PROBLEMS, Damaged, Invalid, Refusal, Unavailable, in_words
from cairn.errors import Problem as Wrong

log = structlog.get_logger(__name__)

TYPES: list[JsonValue] = [*sorted(map(type_of, STATUSES))]


class FieldError(BaseModel):
    """One thing that is wrong with a request."""

    model_config = ConfigDict(extra="forbid")

    where: list[str | int] = Field(
        description="Where: `body`, `query`, `path` or `header`, then names and positions."
    )
    message: str


class Problem(BaseModel):
    """Why a request was refused, and what to do (RFC 9457)."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(
        description="What kind of problem it is, for programs: a relative URI. "
        "`openapi/problems.md` says what each means.",
        json_schema_extra={"enum": TYPES},
    )
    title: str
    status: int
    detail: str = Field(description="What is wrong here, and what to do about it.")
    errors: list[FieldError] | None = Field(
        default=None, description="With 422: each thing that is wrong."
    )


ALWAYS = (
    "other-origin",
    "other-host",
    "invalid-request",
    "unexpected",
    "unavailable",
)
"""The codes of problems that any request can meet."""

WITH_BODY = (
    "malformed-request",
    "body-too-large",
    "too-many-values",
    "media-type-not-json",
    "number-too-large",
)
"""The codes of problems that requests with a body can meet besides."""


def refuses(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Document the problems of an endpoint, for FastAPI's parameter `responses`.

    Args:
        codes: the codes of problems besides those in `ALWAYS`.

    Returns:
        By status, a response with an example for each code.
    """
    documented: dict[int | str, dict[str, Any]] = {}
    for code in sorted({*codes, *ALWAYS}):
        status = STATUSES[code]
        wrong = [WRONG[code]] if code in WRONG else None
        response = documented.setdefault(
            status,
            {
                "model": Problem,
                "description": HTTPStatus(status).phrase,
                "content": {MEDIA_TYPE: {"examples": {}}},
            },
        )
        example = {"value": body(code, REFUSED[code], wrong)}
        response["content"][MEDIA_TYPE]["examples"][code] = example
    documented[503]["headers"] = RETRY_AFTER
    return documented


def problem(
    status: int,
    detail: str,
    errors: Sequence[Wrong] | None = None,
    headers: Mapping[str, str] | None = None,
    code: str | None = None,
) -> Response:
    """The response that refuses a request.

    Args:
        status: the HTTP status.
        detail: the mistake and the remedy, for people.
        errors: the mistakes one by one.
        headers: headers besides the content's.
        code: the code of the problem; by default that of `OF_HTTP` for the status.
    """
    content = body(code or OF_HTTP[status], detail, errors)
    return Response(orjson.dumps(content), status, media_type=MEDIA_TYPE, headers=headers)


def install(app: FastAPI) -> None:
    """Have the application answer every error as a problem, the framework's errors too."""
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _refusal(_: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    errors = refusal.problems if isinstance(refusal, Invalid) else None
    headers = {}
    if isinstance(refusal, Unavailable):
        headers["Retry-After"] = str(refusal.retry_after)
    if isinstance(refusal, Damaged):
        log.error("damaged", exc_info=refusal)
    return problem(status_of(type(refusal)), str(refusal), errors, headers, refusal.code)


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Not str(error), which shows the path of the endpoint's file.
    errors = error.errors()
    found = [Wrong(tuple(e["loc"]), e["msg"]) for e in errors]
    if any(e.where[0] == "path" for e in found):  # an ill-formed id names no object
        return problem(404, f"There is nothing at {request.url.path}: that is no id.")
    if any(e["type"] == "json_invalid" for e in errors):
        reasons = "; ".join(str(e.get("ctx", {}).get("error", e["msg"])) for e in errors)
        return problem(400, f"The body is not JSON: {reasons}.")
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    is_json = media_type == "application/json" or media_type.endswith("+json")
    if error.body and not is_json and any(e.where[0] == "body" for e in found):
        return problem(415, "Send JSON, and say so: the header Content-Type: application/json.")
    detail = f"The request does not fit: {in_words(found)}. See /docs for what is taken."
    return problem(422, detail, found[:MOST_PROBLEMS])


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, Refusal):  # raised by `ApiRequest.json`, in the framework
        return await _refusal(request, error.__cause__)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_allowed(request))
    detail = {
        404: f"There is nothing at {request.url.path}. See /docs for what there is.",
        405: f"{request.method} cannot be done at {request.url.path}. See /docs for what can.",
    }.get(error.status_code, str(error.detail))
    return problem(error.status_code, detail, headers=headers)


def _allowed(request: Request) -> list[str]:
    """The methods of all routes at this path: the framework names those of the first route."""
    routes = (route for route in request.app.routes if isinstance(route, Route))
    fitting = (route for route in routes if route.path_regex.match(request.url.path))
    return sorted({method for route in fitting for method in route.methods or ()})


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("unexpected error", path=request.url.path, exc_info=error)
    return problem(500, "Something went wrong here, not with the request. The log tells what.")
