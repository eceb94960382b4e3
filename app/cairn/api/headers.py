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
        "description": "How many seconds were waited at most, where waiting was preferred.",
        "schema": {"type": "string"},
        "example": "wait=30",
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
