"""The configuration in force: every setting with its origin, and no secret."""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import orjson

from cairn.settings import Settings, variable

MASK = "***"
SECRET = r"(?:password|passwd|secret|token|key|credential)"
IN_A_URL = (
    re.compile(r"(://[^/:@\s]*:).*(?=@)"),  # user:password@
    re.compile(rf"([?&][^=&]*{SECRET}[^=&]*=)[^&\s\"]*", re.IGNORECASE),
)


def lines(
    settings: Settings, given: Mapping[str, Any], from_file: Collection[str]
) -> Iterator[str]:
    """Yield a line for each setting, in the form of the file `.env`.

    A comment at the end names the origin. Secrets are masked; a setting without a value is
    commented out.

    Args:
        settings: the settings in force.
        given: the options of the command line by setting; `None` for an option left out.
        from_file: the names of the variables that the file `.env` has set.
    """
    origins = {name.upper(): "environment" for name in os.environ}
    origins |= {name.upper(): ".env" for name in from_file}
    for field, dumped in settings.model_dump(mode="json").items():
        name = variable(field)
        value = sorted(dumped) if isinstance(getattr(settings, field), frozenset) else dumped
        origin = "option" if given.get(field) is not None else origins.get(name, "default")
        mark = "#" if value is None else ""
        yield f"{mark}{name}={_masked(name, value)}  # {origin}"


def _masked(name: str, value: object) -> str:
    if value is None:
        return ""
    if re.search(SECRET, name, re.IGNORECASE) and not isinstance(value, int | float):
        return MASK
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    for secret in IN_A_URL:
        text = secret.sub(rf"\g<1>{MASK}", text)
    return text
