"""The wheel in an environment of its own: what works outside a checkout."""

import ast
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.command import BOUND, ROOT, environment
from tests.scripted_model import Scripted
from tests.test_cli import free_port

UV = Path(sys.executable).with_name("uv")

TAXED = """\
from app.models import TAX
from cairn import StartEvent, StopEvent, Workflow, step


class TaxedFlow(Workflow):
    name = "taxed"

    @step
    async def add(self, ev: StartEvent) -> StopEvent:
        return StopEvent(result=100 + TAX)
"""

pytestmark = pytest.mark.usefixtures("nothing_configured")


def done(*command: str | Path, cwd: Path, **settings: str) -> str:
    """What the command says; it succeeds."""
    ended = subprocess.run(
        command,
        cwd=cwd,
        env=environment(PYTHONDONTWRITEBYTECODE="", **settings),  # compiled once, for all of them
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=2 * BOUND,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


@pytest.fixture(scope="module")
def cairn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, installed from the wheel with what production is pinned to."""
    home = tmp_path_factory.mktemp("wheel")
    python = home / "venv" / "bin" / "python"
    install = (UV, "pip", "install", "--quiet", "--python", python, "--no-deps")
    pins = ROOT / "requirements" / "production.txt"
    done(UV, "build", "--quiet", "--wheel", "--out-dir", home, cwd=ROOT)
    done(UV, "venv", "--quiet", "--python", sys.executable, home / "venv", cwd=home)
    done(*install, "--require-hashes", "--requirement", pins, cwd=home)
    done(*install, *home.glob("*.whl"), cwd=home)
    return python.with_name("cairn")


@contextmanager
def served(cairn: Path, folder: Path) -> Iterator[httpx.Client]:
    """The service, begun in that folder."""
    port = str(free_port())
    process = subprocess.Popen([cairn, "serve"], cwd=folder, env=environment(CAIRN_PORT=port))
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=BOUND) as http:
            end = time.monotonic() + BOUND
            while not _is_ready(http):
                assert process.poll() is None
                assert time.monotonic() < end
                time.sleep(0.05)
            yield http
    finally:
        process.terminate()
        process.wait(BOUND)


def _is_ready(http: httpx.Client) -> bool:
    try:
        return http.get("/health/ready").is_success
    except httpx.TransportError:
        return False


def test_a_folder_made_by_init_is_served_and_its_run_rerun(cairn: Path, tmp_path: Path) -> None:
    done(cairn, "init", "x", cwd=tmp_path)
    wait = {"Prefer": "wait=20"}
    with served(cairn, tmp_path / "x") as http:
        body = {"workflow": "words", "start_event": {"topic": "rose"}}
        run = http.post("/runs", json=body, headers=wait).json()
        assert (run["status"], run["result"][1]) == ("completed", ["rose", 3])
        found = http.get(f"/runs/{run['id']}/checkpoints?last_completed_step=fetch").json()
        [checkpoint] = found["items"]
        rerun = http.post(f"/checkpoints/{checkpoint['id']}/rerun", headers=wait).json()
        assert (rerun["result"], rerun["checkpoint_count"]) == (run["result"], 1)


def test_the_demo_brings_its_own_workflow(cairn: Path, tmp_path: Path, scripted: Scripted) -> None:
    told = done(cairn, "demo", cwd=tmp_path)
    assert "That is the notebook, over HTTP." in told
    assert "Because 7 ate 9." in told
    assert list(tmp_path.iterdir()) == []


def test_a_hosted_file_has_its_own_modules_of_any_name(cairn: Path, tmp_path: Path) -> None:
    """Those called `app`, as in most projects that serve with FastAPI, among them."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "models.py").write_text("TAX = 7\n")
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "taxed.py").write_text(TAXED)
    for command in ([cairn], [cairn.with_name("python"), "-P", "-m", "cairn"]):
        assert "result: 107" in done(*command, "run", "taxed", cwd=tmp_path)
    with served(cairn, tmp_path) as http:
        page = http.get("/workflows").json()
        assert ([it["name"] for it in page["items"]], page["broken"]) == (["taxed"], [])


def test_nothing_but_cairn_is_installed(cairn: Path, tmp_path: Path) -> None:
    python = cairn.with_name("python")
    code = "import importlib.metadata as m; print({str(f).split('/')[0] for f in m.files('{}')})"
    told = done(python, "-c", code.replace("'{}'", "'cairn-workflows'"), cwd=tmp_path)
    assert set(ast.literal_eval(told)) - {"..", "cairn"} == {"cairn_workflows-0.1.0.dist-info"}
