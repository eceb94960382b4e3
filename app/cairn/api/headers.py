"""Response headers, as documented in the OpenAPI schema."""

from typing import Any

LOCATION: dict[str, Any] = {
    "Location": {
        "description": "Where what was made, or told, is found.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
        "example": "/runs/0198c0de-0000-7000-8000-00000000000b",
    }
}
PREFERENCE_APPLIED: dict[str, Any] = {
    "Preference-Applied": {
        "description": "How many seconds were waited at most, where waiting was asked for.",
        "schema": {"type": "string"},
        "example": "wait=30",
    }
}
ETAG: dict[str, Any] = {
    "ETag": {
        "description": "The tag of the answer, for `If-None-Match`; weak.",
        "schema": {"type": "string"},
        "example": 'W/"5f2b8d6d0c6f4c1e8a0a3b6c1d2e3f40"',
    }
}
RETRY_AFTER: dict[str, Any] = {
    "Retry-After": {
        "description": "In how many seconds it is worth another try.",
        "required": True,
        "schema": {"type": "integer"},
        "example": 5,
    }
}
