"""The documentation in a browser, with nothing from elsewhere."""

import re

from tests.api.asking import Cairn, refused


async def test_the_page_and_all_that_it_names_come_from_the_service_itself(cairn: Cairn) -> None:
    page = await cairn.http.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    named = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert len(named) == 4
    bodies = [page.text]
    for place in named:
        response = await cairn.http.get(f"/{place}")
        assert response.status_code == 200, place
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.content
        kind = response.headers["content-type"]
        wanted = {"js": "text/javascript", "css": "text/css", "png": "image/png"}
        assert kind.startswith(wanted[place.rpartition(".")[2]])
        if not place.endswith(("-bundle.js", ".png")):  # the bundle names addresses in its words
            bodies.append(response.text)
    for body in bodies:
        assert not re.search(r"(src|href)=\"?(https?:)?//|url\(\W?(https?:)?//|@import", body)
    started = next(body for body in bodies if body.startswith("SwaggerUIBundle"))
    assert "://" not in page.text + started
    assert 'url: "openapi.json"' in started


async def test_a_browser_is_told_to_load_nothing_from_elsewhere(cairn: Cairn) -> None:
    page = await cairn.http.get("/docs")
    policy = {
        name: sources
        for name, *sources in (
            part.split() for part in page.headers["content-security-policy"].split(";")
        )
    }
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == ["'self'"]
    assert {source for sources in policy.values() for source in sources} == {
        "'none'",
        "'self'",
        "data:",
    }
    assert page.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script>|\son\w+=|\sstyle=", page.text), "the policy would stop it"


async def test_there_is_no_other_page_and_no_other_file(cairn: Cairn) -> None:
    for path in ("/redoc", "/docs/swagger-ui.js", "/docs/nowhere"):
        refused(await cairn.http.get(path), 404)
    refused(await cairn.http.post("/docs/start.js"), 405)
