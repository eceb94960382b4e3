"""Entity tags: who has the present answer already is told so, without the answer.

The tags are weak (RFC 9110, section 8.8.1): equal ones stand for the same facts, and a later
release may write these in other bytes. `If-None-Match` compares weakly anyway (section 13.1.2).
"""

import hashlib
import json
import re
import sys
from collections.abc import Mapping
from typing import Annotated, Any
from weakref import WeakKeyDictionary

from fastapi import Header, Response

from cairn import __version__
from cairn.api.headers import ETAG
from cairn.api.schemas import WorkflowOut, schema_of
from cairn.engine import Event, Workflow

IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        description="The `ETag` of an earlier answer: 304 without a body if it is still right.",
    ),
]
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    200: {"headers": ETAG},
    304: {"description": "The answer with that tag is still right.", "headers": ETAG},
}
TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
CODE: WeakKeyDictionary[Workflow, str] = WeakKeyDictionary()
"""Digests of workflows, as `code_of` makes them."""


def tag_of(*parts: object) -> str:
    """The tag of an answer that these parts, and the release, determine."""
    return f'W/"{_digest(__version__, *parts)}"'


def code_of(workflow: Workflow | None) -> str | None:
    """A digest of the parts of a workflow's code that answers show: its events and its steps.

    An event that a step only waits for is in no graph: it stands in the module of the workflow.

    Args:
        workflow: the workflow; `None` if it is not loaded.
    """
    if workflow is None:
        return None
    if workflow not in CODE:
        named = vars(sys.modules[type(workflow).__module__])
        events = [it for it in named.values() if isinstance(it, type) and issubclass(it, Event)]
        schemas = [schema_of(event) for event in events]
        CODE[workflow] = _digest(WorkflowOut.of(workflow).model_dump_json(), schemas)
    return CODE[workflow]


def is_known(tag: str | None, if_none_match: str | None) -> bool:
    """True if the client has the answer with this tag.

    Args:
        tag: the tag of the present answer; `None` for an answer without a tag.
        if_none_match: the header `If-None-Match`; other text than tags matches nothing.
    """
    if tag is None or if_none_match is None:
        return False
    return if_none_match.strip() == "*" or _opaque(tag) in TAG.findall(if_none_match)


def tagged(tag: str | None, headers: Mapping[str, str] | None = None) -> dict[str, str]:
    """The headers of an answer with a tag, among others: to be asked for again each time."""
    given = dict(headers or {})
    return given if tag is None else given | {"ETag": tag, "Cache-Control": "no-cache"}


def not_modified(tag: str | None, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a client that has the answer with this tag."""
    return Response(status_code=304, headers=tagged(tag, headers))


def _opaque(tag: str) -> str:
    return TAG.findall(tag)[0]  # type: ignore[no-any-return]


def _digest(*parts: object) -> str:
    written = json.dumps(parts, default=str).encode()
    return hashlib.sha256(written).hexdigest()[:32]
