"""Guard: no request for the name of a different host, no change by a page of a foreign origin."""

from collections.abc import Collection
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from cairn.api.problems import problem

SAFE = ("GET", "HEAD", "OPTIONS")
ADDRESSES = 100  # cached: parsing an address takes as long as the rest of the guard
OWN = ("same-origin", "none")  # values of `Sec-Fetch-Site`: our own page, or the user


class Guard:
    """Keeps web pages of other origins from using the service through a visitor's browser.

    Two attacks are refused:

    - DNS rebinding. The attacker's host name is made to resolve to this service, and browsers treat
      the attacker's page as one of ours. Such a request has that name in its header `Host`.
    - Cross-site request forgery. A foreign page requests a change by a form or a script. The
      headers `Sec-Fetch-Site` and `Origin` give the page away, by the rule of Go's
      `http.CrossOriginProtection`. Reading needs no guard: without CORS, browsers keep the answer
      from the page.
    """

    def __init__(
        self, app: ASGIApp, hosts: Collection[str] | None, origins: Collection[str]
    ) -> None:
        """Guard an application.

        Args:
            app: the ASGI application for the requests that pass.
            hosts: host names allowed besides IP addresses and `localhost`, in lower case; `None`
                for any.
            origins: foreign origins whose pages may request any change, in lower case.
        """
        self._app = app
        self._hosts = hosts
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 421 for a wrong host and 403 for a foreign page."""
        app = self._app
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if self._hosts is not None and not _is_among(headers.getlist("host"), self._hosts):
                app = problem(
                    421,
                    "The service does not go by the host that the request names. Ask it by its IP "
                    "address or as localhost, or list the name in the setting CAIRN_ALLOWED_HOSTS.",
                )
            elif scope["method"] not in SAFE and self._is_foreign(headers):
                app = problem(
                    403,
                    "Pages of other origins may not do this. If this one may, list its origin in "
                    "the setting CAIRN_CORS_ORIGINS.",
                )
        await app(scope, receive, send)

    def _is_foreign(self, headers: Headers) -> bool:
        """True for a request by a page of an origin that is neither ours nor allowed."""
        origin, site = headers.get("origin", "").lower(), headers.get("sec-fetch-site")
        if site in OWN or origin in self._origins:
            return False
        if site is not None:
            return True
        # Neither header: no browser. `Origin` alone: an old browser, or plain HTTP to a host that
        # is not local, where browsers omit `Sec-Fetch-Site`.
        return bool(origin) and urlsplit(origin).netloc != headers.get("host", "").lower()


def _is_among(named: Collection[str], hosts: Collection[str]) -> bool:
    """True if the request has a `Host`, and no name but these, `localhost` and IP addresses."""
    names = [_without_port(host.lower()) for host in named]
    return bool(names) and all(
        name == "localhost" or name in hosts or _is_address(name) for name in names
    )


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name.strip("[]") if colon and (port.isdigit() or not port) else host.strip("[]")


@lru_cache(ADDRESSES)
def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
