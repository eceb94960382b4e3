"""A database that is out of reach: clients are told that it is, and the log what is wrong."""

import asyncio
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url
from structlog.testing import capture_logs

from tests.api.asking import refused, serving
from tests.api.gates import BOUND
from tests.databases import fresh

MATH = {"workflow": "joke", "start_event": {"topic": "math"}}


@contextmanager
def shut(server: str, url: URL) -> Iterator[None]:
    """Nobody can connect to the database, and whoever was connected is so no more."""
    allow = "ALTER DATABASE {} ALLOW_CONNECTIONS {}"
    name = sql.Identifier(str(url.database))
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL(allow).format(name, sql.SQL("false")))
        try:
            ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            admin.execute(ended, [url.database])
            yield
        finally:
            admin.execute(sql.SQL(allow).format(name, sql.SQL("true")))


async def test_no_answer_tells_the_address_of_a_database_that_is_away_but_the_log_does(
    postgresql: str,
) -> None:
    with fresh(postgresql) as shown, capture_logs() as logs:
        url = make_url(shown)
        inside = [str(url.database), url.host or url.query["host"], url.username, "FATAL"]
        async with serving(shown, database_wait_seconds=0.2, drain_seconds=0.1) as cairn:
            with shut(postgresql, url):
                for _ in range(2):  # the second finds the writer in trouble
                    for response in (
                        await cairn.http.get("/health/ready"),
                        await cairn.http.get("/runs"),
                        await cairn.http.post("/contexts", json={"workflow": "joke"}),
                        await cairn.http.post("/runs", json=MATH),
                        await cairn.http.get("/health/ready"),
                    ):
                        problem = refused(response, 503, "database is out of reach")
                        assert response.headers["retry-after"]
                        for word in inside:
                            assert str(word) not in str(problem)
                # The first trouble may be a connection that was ended, without the reason.
                async with asyncio.timeout(BOUND):
                    while not any(str(url.database) in trouble for trouble in troubles(logs)):
                        refused(await cairn.http.post("/runs", json=MATH), 503, "out of reach")


def troubles(logs: Sequence[MutableMapping[str, Any]]) -> list[str]:
    return [entry["trouble"] for entry in logs if "out of reach" in entry["event"]]
