"""The documentation as a page: Swagger UI, without files from other hosts."""

from importlib.resources import files
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

SHIPPED = Path(str(files("fastapi_swagger") / "resources"))
FILES = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")

# Relative URLs: a proxy may serve all this under a path of its own.
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Cairn</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#page",
  deepLinking: true,
  validatorUrl: null,
});
"""

HEADERS = {"X-Content-Type-Options": "nosniff"}
# `data:`: the style sheet contains images.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


async def _page(_: Request) -> Response:
    headers = {**HEADERS, "Content-Security-Policy": POLICY}
    return Response(PAGE, media_type="text/html", headers=headers)


async def _start(_: Request) -> Response:
    return Response(START, media_type="text/javascript", headers=HEADERS)


async def _file(request: Request) -> Response:
    return FileResponse(SHIPPED / Path(request.url.path).name, headers=HEADERS)


ROUTES = (
    Route("/docs", _page),
    Route("/docs/start.js", _start),
    *(Route(f"/docs/{name}", _file) for name in FILES),
)
