"""Who may come in: not requests for other hosts, nor those that pages of other origins make."""

from collections.abc import Collection
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from cairn.api.problems import problem

SAFE = ("GET", "HEAD", "OPTIONS")
ADDRESSES = 100  # that are remembered: to read one anew takes as long as the rest of the guard
OWN = ("same-origin", "none")  # of `Sec-Fetch-Site`: one of our own pages, or the user directly


class Guard:
    """Keeps web pages of other origins from using the service through a visitor's browser.

    The name of another host stands in requests of a page whose own name was made to lead here
    (DNS rebinding): such a page would count as one of ours. Of the other pages, those that change
    something by a form or a script (cross-site request forgery) are told by the headers that
    browsers send, by the rule of Go's `http.CrossOriginProtection`; reading needs no guard, since
    browsers show pages nothing that CORS does not allow.
    """

    def __init__(
        self, app: ASGIApp, hosts: Collection[str] | None, origins: Collection[str]
    ) -> None:
        """Take the settings.

        Args:
            hosts: names that requests may call the service by, besides IP addresses and
                `localhost`, in lower case; `None` for any.
            origins: the other origins whose pages may do everything, in lower case.
        """
        self._app = app
        self._hosts = hosts
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or refuse it."""
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
        """Whether a page of another origin makes the request, and not one that is listed."""
        origin, site = headers.get("origin", "").lower(), headers.get("sec-fetch-site")
        if site in OWN or origin in self._origins:
            return False
        if site is not None:
            return True
        # Neither header: no browser. The second alone: an old one, or one that was led here
        # by plain HTTP.
        return bool(origin) and urlsplit(origin).netloc != headers.get("host", "").lower()


def _is_among(named: Collection[str], hosts: Collection[str]) -> bool:
    """Whether the request names a host, and none but those."""
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
