"""Settings, read from the environment: each has the prefix `CAIRN_`."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _host(name: str) -> str:
    if not re.fullmatch(r"\w([\w.-]*\w)?", name, re.ASCII):
        raise ValueError(f"{name!r} is no host's name: give it alone, such as cairn.example.org")
    return name.lower()


def _origin(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/?#\s*]+", name, re.ASCII | re.IGNORECASE):
        raise ValueError(f"{name!r} is no origin: give it like https://cairn.example.org:8443")
    return name.lower()


class Settings(BaseSettings):
    """How this process is set up."""

    model_config = SettingsConfigDict(env_prefix="CAIRN_", frozen=True)

    database_url: str = Field(
        "sqlite:///cairn.db", description="Where runs are remembered, as an SQLAlchemy URL."
    )
    workflows: Path = Field(
        Path("workflows"), description="The folder whose `.py` files define the workflows."
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
    max_active_runs: int = Field(
        1_000, ge=1, description="How many runs are carried forward at once; more are queued."
    )
    database_wait_seconds: float = Field(
        60.0, ge=0, description="How long runs wait for a database that is out of reach."
    )
    lease_seconds: float = Field(
        10.0,
        ge=0.5,
        description="How long after its last sign of life a process's runs are taken over.",
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
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much is said."
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="For people, or one object a line."
    )

    @property
    def hosts(self) -> frozenset[str] | None:
        """The names that requests may call the service by; `None` for any."""
        if self.allowed_hosts is None and _is_loopback(self.host):
            return frozenset()
        return self.allowed_hosts


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
