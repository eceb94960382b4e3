"""An OpenAI-compatible server on loopback that says what a test wants said."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def completion(text: str) -> str:
    """The answer of such a server that has completed a chat with this text."""
    message = {"role": "assistant", "content": text}
    return json.dumps(
        {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": "scripted",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        }
    )


@dataclass
class Asked:
    path: str
    authorization: str | None
    body: dict[str, Any]


@dataclass
class Scripted:
    """The same answer to all, and what it was asked."""

    url: str = ""
    status: int = 200
    answer: str = completion(" Because 7 ate 9.\n")
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def scripted_model() -> Iterator[Scripted]:
    """The server, up on a port of its own."""
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            script.asked.append(Asked(self.path, self.headers["authorization"], body))
            self.send_response(script.status)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(script.answer.encode())

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        script.url = f"http://127.0.0.1:{server.server_port}/v1"
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()
