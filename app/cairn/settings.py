"""Settings, read from environment variables with the prefix `CAIRN_`."""

import os
import re
from collections.abc import Iterator
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

PREFIX = "CAIRN_"


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


AnyCase = BeforeValidator(_lower)


def _host(name: str) -> str:
    if not re.fullmatch(r"\w([\w.-]*\w)?", name, re.ASCII):
        raise ValueError(f"{name!r} is no host's name: give it alone, such as cairn.example.org")
    return name.lower()


def _origin(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/?#\s*]+", name, re.ASCII | re.IGNORECASE):
        raise ValueError(f"{name!r} is no origin: give it like https://cairn.example.org:8443")
    return name.lower()


class Settings(BaseSettings):
    """The settings of a process; `variable` gives the environment variable of each."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    database_url: str = Field(
        "sqlite:///cairn.db", description="Where runs are remembered, as an SQLAlchemy URL."
    )
    workflows: Path = Field(
        Path("workflows"), description="The folder whose `.py` files define the workflows."
    )
    load_seconds: float = Field(
        15.0, gt=0, le=3600, description="How long each of these files may take to load."
    )
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(
        8000, ge=0, le=65535, description="The port to listen on; 0 finds a free one."
    )
    allowed_hosts: frozenset[Annotated[str, AfterValidator(_host)]] | None = Field(
        None,
        description="The names that requests may call the service by, besides IP addresses and "
        "localhost, as a JSON list; if not set, none where it listens on a loopback address, and "
        "any elsewhere.",
    )
    cors_origins: frozenset[Annotated[str, AfterValidator(_origin)]] = Field(
        frozenset(),
        description="The other origins whose web pages may use the service, as a JSON list.",
    )
    max_body_bytes: int = Field(
        10_000_000, ge=1, description="The largest request body taken, in bytes."
    )
    max_body_values: int = Field(
        100_000, ge=1, description="How many values a request body may have: texts, lists, ..."
    )
    max_active_runs: int = Field(
        1_000, ge=1, description="How many runs are carried forward at once; more are queued."
    )
    max_steps: int = Field(
        100_000, ge=1, description="How many checkpoints a run may come to before it is ended."
    )
    max_pending: int = Field(
        200_000, ge=1, description="How many events may be on their way in a run at once."
    )
    max_seconds: float | None = Field(
        None, gt=0, description="How long after it has begun a run may go on; for ever if not set."
    )
    max_recoveries: int = Field(
        5,
        ge=0,
        description="How many processes may end while they drive a run before it is given up.",
    )
    max_waiters: int = Field(
        1_000, ge=0, description="How many requests wait for a run at once; more are answered."
    )
    heartbeat_seconds: float = Field(
        15.0, ge=0.1, le=3600, description="How often a silent stream shows that it is alive."
    )
    database_wait_seconds: float = Field(
        60.0, ge=0, description="How long runs wait for a database that is out of reach."
    )
    lease_seconds: float = Field(
        10.0,
        ge=0.5,
        description="How long after its last sign of life a process's runs are taken over.",
    )
    stuck_seconds: float = Field(
        60.0,
        ge=1,
        description="How long a step may block the event loop before others take over.",
    )
    retain_days: float | None = Field(
        None, ge=0, le=36_500, description="How long after its end a run is kept; else for ever."
    )
    retain_runs: int | None = Field(
        None,
        ge=0,
        le=1_000_000_000,
        description="How many runs that have ended are kept of each workflow; all if not set.",
    )
    retain_statuses: frozenset[Literal["completed", "failed", "cancelled"]] = Field(
        frozenset({"completed", "failed", "cancelled"}),
        description="Of which statuses runs are deleted when they are not kept, as a JSON list.",
    )
    prune_every_seconds: float = Field(
        3600.0, ge=1, description="How often what is not kept is deleted."
    )
    drain_seconds: float = Field(
        10.0,
        ge=0,
        description="How long running steps may take to complete when the service is told to stop.",
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], AnyCase] = Field(
        "info", description="How much is said."
    )
    log_format: Annotated[Literal["console", "json"], AnyCase] = Field(
        "console", description="For people, or one object a line."
    )

    @property
    def hosts(self) -> frozenset[str] | None:
        """The host names accepted besides IP addresses and localhost; `None` for any name."""
        if self.allowed_hosts is None and _is_loopback(self.host):
            return frozenset()
        return self.allowed_hosts


def read(**given: Any) -> Settings:
    """Read the settings from the environment.

    Args:
        given: settings that win over the environment, unless `None`.

    Raises:
        ValueError: a value does not fit, or a variable with the prefix names no setting; the
            message has every such variable.
    """
    unknown = " ".join(_unknown())
    if unknown:
        raise ValueError(f"{unknown} Mend the environment or the file .env.")
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        # An error of several settings together has no location.
        found = [(": ".join(map(variable, e["loc"][:1])), e["msg"]) for e in error.errors()]
        wrong = (f"{name}: {message}." if name else f"{message}." for name, message in found)
        raise ValueError("These settings do not fit. " + " ".join(wrong)) from None
    except SettingsError as error:
        field = re.search(r'field "(\w+)"', str(error))
        name = variable(field[1]) if field else "One"
        raise ValueError(
            f"These settings do not fit. {name}: it must be written as JSON."
        ) from None


def variable(field: object) -> str:
    """The name of the setting's environment variable."""
    return f"{PREFIX}{field}".upper()


def _unknown() -> Iterator[str]:
    """Yield a complaint about each variable that has the prefix and names no setting."""
    known = [variable(field) for field in Settings.model_fields]
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = get_close_matches(name.upper(), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."
            yield f"There is no setting {name}: {hint}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
