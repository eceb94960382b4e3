"""Connections whose clients send without end, or never: others are served all the same."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.testing import capture_logs

from cairn.api import limits
from cairn.api.protocol import HEAD_BYTES, SECONDS, BoundedProtocol
from tests.api.asking import refused
from tests.api.listening import Line, Port, listening

GET = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /contexts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
T = TypeVar("T")

BODY = json.dumps({"workflow": "joke"}).encode()


@pytest.fixture
async def port(database: str) -> AsyncIterator[Port]:
    """The service at a port."""
    async with listening(database) as port:
        yield port


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients have little time."""
    for phase in ("idle", "head", "body"):
        monkeypatch.setitem(SECONDS, phase, 0.3)


async def is_well(port: Port) -> None:
    """Others are served."""
    async with port.line(GET + b"\r\n") as line:
        assert (await line.answer()).status_code == 200


async def sending(line: Line, piece: bytes, until: Coroutine[Any, Any, T]) -> T:
    """What comes to a client that sends this again and again until then."""
    coming = asyncio.create_task(until)
    while not coming.done():
        line.send(piece)
        await asyncio.wait([coming], timeout=0.005)
    return await coming


async def test_head_is_answered_like_get_without_a_body(port: Port) -> None:
    for path in (b"live", b"ready"):
        head = b"HEAD /health/%b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % path
        async with port.line(head) as line:
            answer = await line.ended()
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"content-length: 15\r\n" in answer
        assert answer.endswith(b"\r\n\r\n")


# Heads


async def test_a_head_without_end_is_refused_long_before(port: Port) -> None:
    for start, piece in (
        (GET, b"X: a\r\n" * 200),
        (GET + b"X: ", b"a" * 1_000),
        (b"GET /", b"a" * 1_000),
    ):
        async with port.line(start) as line:
            refused(await sending(line, piece, line.answer()), 431, str(HEAD_BYTES))
    await is_well(port)


async def test_a_head_of_just_the_limit_is_read_and_one_byte_more_is_refused(port: Port) -> None:
    start = GET + b"X-Long: "
    known = len(b"/health/live") + len(b"Hostlocalhost") + 4 + len(b"X-Long") + 4
    for more, status in ((0, 200), (1, 431)):
        whole = start + b"a" * (HEAD_BYTES - known + more) + b"\r\n\r\n"
        async with port.line(whole) as line:
            answer = await line.answer()
            assert answer.status_code == status
            if status == 431:
                refused(answer, 431)
                assert await line.ended() == b""


async def test_trailers_without_end_are_refused(port: Port) -> None:
    start = CHUNKED + b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY)
    async with port.line(start) as line:
        refused(await sending(line, b"X: a\r\n" * 200, line.answer()), 431)
    await is_well(port)


async def test_what_is_no_http_is_a_problem_too(port: Port) -> None:
    async with port.line(b"\x16\x03\x01 hello\r\n\r\n") as line:
        refused(await line.answer(), 400)
        assert await line.ended() == b""


# Time


@pytest.mark.usefixtures("hasty")
async def test_a_client_that_is_silent_or_late_is_not_waited_for(port: Port) -> None:
    async with port.line() as line:
        assert await line.ended() == b""
    async with port.line(b"\r\n\r\n") as line:
        assert await line.ended() == b""
    for late in (GET + b"X: ", POST + b"Content-Length: 99\r\n\r\n{", CHUNKED, CHUNKED + b"1\r\n{"):
        async with port.line(late) as line:
            refused(await line.answer(), 408)
            assert await line.ended() == b""
    await is_well(port)


@pytest.mark.usefixtures("hasty")
async def test_a_byte_now_and_then_gives_no_more_time(port: Port) -> None:
    async with port.line(GET + b"X: ") as line:
        refused(await sending(line, b"a", line.answer()), 408)


@pytest.mark.usefixtures("hasty")
async def test_a_body_that_is_refused_is_not_read_for_ever(port: Port) -> None:
    start = POST + b"Content-Length: 99999999999\r\n\r\n"
    async with port.line(start) as line:
        refused(await line.answer(), 413)
        more = await sending(line, b"a", line.ended())
        assert more == b"", "one request is answered once"


@pytest.mark.usefixtures("hasty")
async def test_a_client_that_waits_for_its_answer_is_given_all_the_time_it_takes(
    database: str,
) -> None:
    gate = asyncio.Event()

    def behind_a_gate(app: ASGIApp) -> ASGIApp:
        async def gated(scope: Scope, receive: Receive, send: Send) -> None:
            await gate.wait()
            await app(scope, receive, send)

        return gated

    whole = POST + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
    async with (
        listening(database, behind_a_gate) as port,
        port.line(whole) as alone,
        port.line(whole + whole) as followed,
        port.line(whole + whole[:-1]) as half_followed,
        port.line(whole + GET) as hardly_followed,
    ):
        lines = (alone, followed, half_followed, hardly_followed)
        await asyncio.sleep(2.5 * SECONDS["head"])
        gate.set()
        for line in lines:
            assert (await line.answer()).status_code == 201
        assert (await followed.answer()).status_code == 201
        for line in (half_followed, hardly_followed):
            refused(await line.answer(), 408)


async def test_requests_that_come_at_once_are_answered_in_their_order(port: Port) -> None:
    posted = POST + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
    async with port.line((GET + b"\r\n" + posted) * 50) as line:
        for _ in range(50):
            assert (await line.answer()).status_code == 200
            assert (await line.answer()).status_code == 201


async def test_more_requests_at_once_than_anybody_reads_answers_to_end_the_connection(
    port: Port,
) -> None:
    async with port.line((GET + b"\r\n") * 3_000) as line:
        assert (await line.ended()).count(b"HTTP/1.1 200") < 2_000
    await is_well(port)


# Bodies


async def test_bodies_together_have_a_bound_and_those_that_leave_make_room(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ROOM", 300_000)
    half = POST + b"Content-Length: 200001\r\n\r\n" + b" " * 100_000
    async with listening(database, max_body_bytes=250_000) as port:
        async with (
            port.line(half) as first,
            port.line(half) as second,
            port.line(half) as third,
            port.line(half) as fourth,
        ):
            done, others = await asyncio.wait(
                [asyncio.create_task(it.answer()) for it in (first, second, third, fourth)],
                return_when=asyncio.FIRST_COMPLETED,
            )
            [refusal] = [it.result() for it in done]
            assert refusal.headers["retry-after"] == "5"
            refused(refusal, 503)
            await is_well(port)
            small = POST + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
            async with port.line(small) as line:
                assert (await line.answer()).status_code == 201, "small ones need no room"
            for other in others:
                other.cancel()
            await asyncio.wait(others)
        await port.until(lambda: not port.server.server_state.tasks)
        async with port.line(half + b" " * 100_001) as line:
            refused(await line.answer(), 400)


# Connections


async def test_beyond_a_bound_connections_are_refused_and_the_log_tells_it_once(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedProtocol, "logged_at", float("-inf"))
    monkeypatch.setitem(SECONDS, "turned away", 0.3)
    with capture_logs() as logs:
        async with listening(database, connections=2) as port:
            async with port.line(GET + b"\r\n") as first, port.line() as second:
                assert (await first.answer()).status_code == 200
                for _ in range(3):
                    async with port.line(GET + b"\r\n") as third:
                        refusal = await third.answer()
                        assert refusal.headers["retry-after"] == "5"
                        refused(refusal, 503)
                        assert await third.ended() == b""
                async with port.line() as silent:
                    assert await silent.ended() == b""
                second.send(GET + b"\r\n")
                assert (await second.answer()).status_code == 200
            await port.until(lambda: not port.server.server_state.connections)
            await is_well(port)
    [told] = [it for it in logs if "too many connections" in it["event"]]
    assert told["most"] == 2
