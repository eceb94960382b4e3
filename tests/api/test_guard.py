"""Who may come in: by which host, and from pages of which origins."""

from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import ValidationError

from cairn.settings import Settings
from tests.api.asking import NOBODY, Cairn, refused, serving

UI = "https://ui.example.org"
FORM = {"content-type": "application/x-www-form-urlencoded"}


async def answer(cairn: Cairn, method: str = "GET", **headers: str) -> httpx.Response:
    """The answer to the smallest request of that method, with these headers."""
    path = f"/runs/{NOBODY}" + ("/cancel" if method == "POST" else "")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await cairn.http.request(method, path, headers=named)


# Hosts


ALWAYS = ("localhost", "LOCALHOST:8000", "127.0.0.1", "192.168.7.1:80", "[::1]", "[::1]:8000")
MADE_TO_LEAD_HERE = (
    "rebind.evil.example",
    "rebind.evil.example:8000",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example:127.0.0.1",
    "localhost@evil.example",
    "::1",
    "",
)


async def test_an_address_and_localhost_are_always_answered_for(cairn: Cairn) -> None:
    for host in ALWAYS:
        refused(await answer(cairn, host=host), 404)


async def test_a_name_that_was_made_to_lead_here_is_refused(cairn: Cairn) -> None:
    for host in MADE_TO_LEAD_HERE:
        for method in ("GET", "OPTIONS", "POST", "DELETE"):
            refused(await answer(cairn, method, host=host), 421, "CAIRN_ALLOWED_HOSTS")
    for path in ("/docs", "/openapi.json", "/health/live", "/runs", "/nowhere"):
        refused(await cairn.http.get(path, headers={"host": "rebind.evil.example"}), 421)
    hosts = [("host", "localhost"), ("host", "evil.example")]
    refused(await cairn.http.get("/runs", headers=hosts), 421)


async def test_names_that_are_listed_are_answered_for_and_no_others(database: str) -> None:
    names = frozenset({"Cairn.example.org"})
    async with serving(database, host="0.0.0.0", allowed_hosts=names) as cairn:
        for host in ("cairn.example.org", "cairn.EXAMPLE.org:443", *ALWAYS):
            refused(await answer(cairn, host=host), 404)
        refused(await answer(cairn, host="example.org"), 421)


async def test_where_others_can_reach_it_any_name_will_do(database: str) -> None:
    async with serving(database, host="0.0.0.0") as cairn:
        refused(await answer(cairn, host="cairn.example.org"), 404)


@pytest.mark.parametrize("listening", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_where_only_this_machine_can_reach_it_no_name_will_do(listening: str) -> None:
    assert Settings(host=listening).hosts == frozenset()


@pytest.mark.parametrize("listening", ["0.0.0.0", "::", "192.168.7.1", "cairn.example.org"])
def test_a_list_of_names_that_is_given_holds_wherever_it_listens(listening: str) -> None:
    assert Settings(host=listening).hosts is None
    names = frozenset({"cairn.example.org"})
    assert Settings(host=listening, allowed_hosts=names).hosts == names


# Origins

FOREIGN: list[dict[str, str]] = [
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site"},
    {"sec_fetch_site": "cross-site", "origin": "http://localhost"},
    {"sec_fetch_site": "something-new"},
    {"origin": "https://evil.example"},
    {"origin": "http://localhost:5173"},
    {"origin": "http://localhost.evil.example"},
    {"origin": "null"},
    {"origin": "nonsense"},
    {"origin": UI},
]
OWN: list[dict[str, str]] = [
    {},
    {"sec_fetch_site": "same-origin"},
    {"sec_fetch_site": "none"},
    {"origin": "http://localhost"},
    {"origin": "HTTP://LOCALHOST"},
    {"origin": "http://127.0.0.1:8000", "host": "127.0.0.1:8000"},
    {"origin": "https://localhost"},  # a proxy before it speaks TLS
    # A proxy before it hands on another host: the browser knows better.
    {"origin": "https://cairn.example.org", "sec_fetch_site": "same-origin"},
]


async def test_a_page_of_another_origin_changes_nothing(cairn: Cairn) -> None:
    for headers in FOREIGN:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            refused(await answer(cairn, method, **headers), 403, "CAIRN_CORS_ORIGINS")
        refused(await answer(cairn, "GET", **headers), 404)


async def test_own_pages_and_whatever_is_no_browser_may_change_something(cairn: Cairn) -> None:
    for headers in OWN:
        refused(await answer(cairn, "POST", **headers), 404)
        refused(await answer(cairn, "DELETE", **headers), 404)


async def test_a_form_of_another_origin_cancels_no_run_and_reruns_none(cairn: Cairn) -> None:
    run = await cairn.until(await cairn.start("approval", {"amount": 1}), "waiting")
    [checkpoint, *_] = await cairn.checkpoints(run)
    form = {**FORM, "sec-fetch-site": "cross-site", "origin": "https://evil.example"}
    for path in (f"/runs/{run['id']}/cancel", f"/checkpoints/{checkpoint['id']}/rerun"):
        refused(await cairn.http.post(path, headers=form), 403)
    assert [it["status"] for it in (await cairn.get("/runs"))["items"]] == ["waiting"]


# Origins that may


@pytest.fixture
async def open_to_the_ui(database: str) -> AsyncIterator[Cairn]:
    """A service that pages of one other origin may use."""
    async with serving(database, cors_origins=frozenset({UI}), drain_seconds=0.1) as cairn:
        yield cairn


async def test_a_page_of_a_listed_origin_may_do_everything_and_read_the_answers(
    open_to_the_ui: Cairn,
) -> None:
    page = {"origin": UI, "sec-fetch-site": "cross-site"}
    asked = {
        "access-control-request-method": "PUT",
        "access-control-request-headers": "content-type, idempotency-key, prefer",
    }
    preflight = await open_to_the_ui.http.options(f"/runs/{NOBODY}", headers=page | asked)
    assert preflight.status_code == 200
    allowed = preflight.headers
    assert allowed["access-control-allow-origin"] == UI
    assert {"GET", "POST", "PUT", "DELETE"} <= {
        *allowed["access-control-allow-methods"].split(", ")
    }
    for name in ("content-type", "idempotency-key", "prefer"):
        assert name in allowed["access-control-allow-headers"].lower()

    body = {"workflow": "joke", "start_event": {"topic": "math"}}
    started = await open_to_the_ui.http.post("/runs", json=body, headers=page)
    assert started.status_code == 202
    exposed = {*started.headers["access-control-expose-headers"].split(", ")}
    assert {"Location", "Preference-Applied", "Retry-After"} <= exposed
    refusal = await open_to_the_ui.http.get(f"/runs/{NOBODY}", headers=page)
    refused(refusal, 404)
    for response in (started, refusal):
        assert response.headers["access-control-allow-origin"] == UI
        assert "access-control-allow-credentials" not in response.headers


async def test_a_page_of_any_other_origin_may_not(open_to_the_ui: Cairn) -> None:
    for origin in ("https://evil.example", f"{UI}.evil.example", f"{UI}:8443", "null"):
        page = {"origin": origin, "sec-fetch-site": "cross-site"}
        refused(await open_to_the_ui.http.post(f"/runs/{NOBODY}/cancel", headers=page), 403)
        response = await open_to_the_ui.http.get("/runs", headers=page)
        assert "access-control-allow-origin" not in response.headers


async def test_no_origin_may_unless_it_is_listed(cairn: Cairn) -> None:
    asked = {"origin": UI, "access-control-request-method": "POST"}
    for response in (
        await cairn.http.options("/runs", headers=asked),
        await cairn.http.get("/runs", headers=asked),
    ):
        assert not [name for name in response.headers if name.startswith("access-control")]


# Settings


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("allowed_hosts", "https://cairn.example.org"),
        ("allowed_hosts", "cairn.example.org:8000"),
        ("allowed_hosts", "*"),
        ("allowed_hosts", ""),
        ("cors_origins", "ui.example.org"),
        ("cors_origins", "https://ui.example.org/"),
        ("cors_origins", "https://*.example.org"),
        ("cors_origins", "*"),
        ("cors_origins", "null"),
    ],
)
def test_a_setting_that_is_no_name_is_refused_with_an_example(name: str, wrong: str) -> None:
    with pytest.raises(ValidationError, match=r"example\.org"):
        Settings.model_validate({name: [wrong]})
