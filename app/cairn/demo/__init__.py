"""The demo: the notebook over HTTP, from the first run to the rerun, on a real model."""

import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
from rich.console import Console

WORKFLOWS = Path(__file__).with_name("workflows")  # independent of the working folder
TOPICS = ("math", "programming", "cats")
START_SECONDS = 30.0
RUN_SECONDS = 150.0

out = Console(highlight=False, soft_wrap=True)


class Failed(Exception):
    """The demo did not go as expected; the message says why."""


def walk() -> None:
    """Run the demo on a service of its own, with a fresh database.

    Raises:
        Failed: the service does not start, a request is refused, or a run does not complete.
    """
    with (
        tempfile.TemporaryDirectory(prefix="cairn-demo-") as folder,
        _service(Path(folder)) as url,
        httpx.Client(base_url=url) as client,
    ):
        _Walk(client, url).go()


class _Walk:
    def __init__(self, client: httpx.Client, url: str) -> None:
        self._client = client
        self._url = url

    def go(self) -> None:
        """Send the requests for each cell of the notebook, and check the answers."""
        _print_heading("A context holds the state and the checkpoints of the runs in it.")
        context = self._request("POST", "/contexts", {"workflow": "joke"})["id"]
        for number, topic in enumerate(TOPICS):
            _print_heading(f"Run {number + 1}: a joke about {topic}, and what is wrong with it.")
            body = {"workflow": "joke", "start_event": {"topic": topic}, "context_id": context}
            self._follow(self._request("POST", "/runs", body))
            _print_heading(
                "Each step that completed has left a checkpoint, and the StartEvent another."
            )
            found = self._request("GET", f"/contexts/{context}/checkpoints")["items"]
            self._expect(len(found), 3 * (number + 1), "checkpoints in the context")
        _print_heading("Only the checkpoints whose step gave a StopEvent: the critiques.")
        self._filtered(context, "output_event_type=StopEvent", "result")
        _print_heading("Only those after generate_joke: the jokes.")
        jokes = self._filtered(context, "last_completed_step=generate_joke", "joke")
        _print_heading("Run from there: the first joke is criticised again, and not written again.")
        rerun = self._follow(self._request("POST", f"/checkpoints/{jokes[0]['id']}/rerun"))
        self._expect(rerun["checkpoint_count"], 1, "step executed")
        found = self._request("GET", f"/contexts/{context}/checkpoints")["items"]
        self._expect(len(found), 10, "checkpoints in the context")
        out.print("\n✓ That is the notebook, over HTTP.", style="bold green")

    def _filtered(self, context: str, query: str, field: str) -> list[dict[str, Any]]:
        path = f"/contexts/{context}/checkpoints?{query}&include=events"
        found = self._request("GET", path)["items"]
        for checkpoint in found:
            text = " ".join(str(checkpoint["output_event"]["data"][field]).split())
            out.print(f"    • {text}", style="cyan", markup=False)
        self._expect(len(found), len(TOPICS), "checkpoints match")
        return list(found)

    def _follow(self, run: Mapping[str, Any]) -> Mapping[str, Any]:
        """Print each step of the run as it completes, and return the completed run."""
        began, shown = time.monotonic(), int(run["origin_checkpoint_id"] is None)
        with out.status("the model works ..."):
            while True:
                checkpoints = self._get(f"/runs/{run['id']}/checkpoints?include=events")["items"]
                for checkpoint in checkpoints[shown:]:
                    seconds = time.monotonic() - began
                    out.print(f"    ● {checkpoint['last_completed_step']} ({seconds:.1f} s)")
                shown = max(shown, len(checkpoints))
                run = self._get(f"/runs/{run['id']}")
                if run["status"] == "completed" and shown == run["checkpoint_count"]:
                    return run
                if run["status"] in ("failed", "cancelled"):
                    error = run["error"] or {"type": run["status"], "message": ""}
                    raise Failed(f"the run is {run['status']}: {error['type']}: {error['message']}")
                if time.monotonic() - began > RUN_SECONDS:
                    raise Failed(f"the run has not ended within {RUN_SECONDS:.0f} seconds.")
                time.sleep(0.2)

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Print the request as a curl command, send it, and return the JSON of the answer."""
        quoted = shlex.quote(f"{self._url}{path}")
        words = ["curl", quoted]
        if method == "POST":
            words = ["curl", "-X", "POST", quoted] if body is None else words
        if body is not None:
            words += ["--json", shlex.quote(orjson.dumps(body).decode())]
        out.print(f"  $ {' '.join(words)}", style="yellow", markup=False)
        return self._json(self._client.request(method, path, json=body))

    def _get(self, path: str) -> Any:
        return self._json(self._client.get(path))

    def _json(self, response: httpx.Response) -> Any:
        if response.is_error:
            raise Failed(f"{response.request.method} {response.request.url}: {response.text}")
        return response.json()

    def _expect(self, found: int, wanted: int, what: str) -> None:
        if found != wanted:
            raise Failed(f"{found} {what}, and not {wanted}.")
        out.print(f"    {found} {what}", style="bold")


@contextmanager
def _service(folder: Path) -> Iterator[str]:
    """The URL of a service in a process of its own, on a free port and a fresh database."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    database = f"sqlite:///{folder / 'cairn.db'}"
    command = [sys.executable, "-P", "-m", "cairn", "serve", "--port", str(port)]
    command += ["--host", "127.0.0.1", "--workflows", str(WORKFLOWS), "--database-url", database]
    log = folder / "log"
    with log.open("w") as written:
        process = subprocess.Popen(command, stdout=written, stderr=subprocess.STDOUT)
        try:
            url = f"http://127.0.0.1:{port}"
            _await_ready(process, url, log)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _await_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    with out.status("the service starts ..."):
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if httpx.get(f"{url}/health/ready").is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
    raise Failed(f"the service did not start:\n{log.read_text()}")


def _print_heading(text: str) -> None:
    out.print(f"\n{text}", markup=False)
