"""`cairn serve --reload`: the service begins anew when a file changes, and loses no run."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.command import BOUND, CAIRN, environment
from tests.test_cli import free_port

HELD = """
import asyncio
from pathlib import Path

from cairn import StartEvent, StopEvent, Workflow, step


class HeldFlow(Workflow):
    @step
    async def hold(self, ev: StartEvent) -> StopEvent:
        Path(ev.gate + "-reached").touch()
        while not Path(ev.gate).exists():
            await asyncio.sleep(0.01)
        return StopEvent(result="before")
"""


def until(true: Callable[[], Any], what: str) -> Any:
    """What it is, once it is true; asked again and again, while nobody answers as well."""
    end = time.monotonic() + BOUND
    while True:
        try:
            if found := true():
                return found
        except httpx.TransportError:
            pass
        assert time.monotonic() < end, what
        time.sleep(0.05)


def test_a_change_is_served_and_the_run_under_way_goes_on(tmp_path: Path) -> None:
    flows, gate = tmp_path / "workflows", tmp_path / "gate"
    flows.mkdir()
    (flows / "held.py").write_text(HELD)
    port = str(free_port())
    settings = {"CAIRN_PORT": port, "CAIRN_DRAIN_SECONDS": "0.5"}
    with (
        (tmp_path / "log").open("w") as log,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http,
        subprocess.Popen(
            [CAIRN, "serve", "--reload"],
            cwd=tmp_path,
            env=environment(**settings),
            stderr=log,
        ) as process,
    ):
        try:
            _changes(http, flows, gate)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(BOUND)
            print((tmp_path / "log").read_text())
        assert process.returncode == 0
    told = (tmp_path / "log").read_text()
    for file in ("held.py", "broken.py", ".env"):
        assert f"'{file}'" in told


def _changes(http: httpx.Client, flows: Path, gate: Path) -> None:
    until(lambda: http.get("/health/ready").is_success, "the service is ready")
    body = {"workflow": "held", "start_event": {"gate": str(gate)}}
    run = http.post("/runs", json=body).json()
    reached = gate.with_name("gate-reached")
    until(reached.exists, "its step has begun")
    reached.unlink()

    (flows / "broken.py").write_text("1 /\n")
    (flows / "held.py").write_text(HELD.replace("before", "after"))
    until(reached.exists, "the step is executed again by the new service")
    gate.touch()
    ended = until(
        lambda: (seen := http.get(f"/runs/{run['id']}").json())["status"] == "completed" and seen,
        "the run completes",
    )
    assert ended["result"] == "after"

    page = http.get("/workflows").json()
    assert [broken["file"] for broken in page["broken"]] == ["broken.py"]
    assert [workflow["name"] for workflow in page["items"]] == ["held"]

    (flows.parent / "other").mkdir()
    (flows.parent / ".env").write_text(f"CAIRN_WORKFLOWS={flows.parent / 'other'}\n")
    until(lambda: not http.get("/workflows").json()["items"], "the setting is taken up")
