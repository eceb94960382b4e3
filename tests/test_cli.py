"""The command line: what a person sees, and the exit codes that scripts rely on."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from cairn.main import schema
from tests.command import BOUND, CAIRN, ROOT, Command, cairn, environment, refused
from tests.scripted_model import Scripted

pytestmark = pytest.mark.usefixtures("nothing_configured")


# Help


def test_help_lists_the_commands() -> None:
    done = cairn("--help")
    assert done.returncode == 0
    for command in ("serve", "demo", "run", "openapi"):
        assert command in done.stdout


def test_serve_has_the_options_that_it_is_said_to_have(here: Command) -> None:
    told = here("serve", "--help").stdout
    for option in ("--host", "--port", "--workflows", "--database-url"):
        assert option in told


def test_a_command_that_is_not_there_is_refused(here: Command) -> None:
    refused(here("srve"), "srve")


# Running a workflow


def test_a_run_shows_each_step_as_it_completes_and_its_result() -> None:
    done = cairn("run", "research", "--input", '{"question": "cats, dogs and owls?"}')
    assert (done.returncode, done.stderr) == (0, "")
    places = [done.stdout.index(step) for step in ("split", "research", "answer")]
    assert places == sorted(places)
    assert done.stdout.count("research") >= 3
    for animal in ("cats", "dogs", "owls"):
        assert animal in done.stdout.splitlines()[-1]


def test_a_run_answers_from_standard_input() -> None:
    answer = '{"approved": true, "comment": "go on"}\n'
    done = cairn("run", "approval", "--input", '{"amount": 500}', stdin=answer)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Pay 500?" in done.stdout
    assert "approved: go on" in done.stdout.splitlines()[-1]


def test_a_run_that_asks_nobody_needs_no_answer(here: Command) -> None:
    done = here("run", "approval", "--input", '{"amount": 5}')
    assert done.returncode == 0
    assert "approved: small amounts need nobody" in done.stdout


def test_an_answer_that_cannot_be_read_is_asked_for_again() -> None:
    wrong = ["yes", "[]", "{}", '{"approved": "perhaps"}', "", "{"]
    stdin = "\n".join([*wrong, '{"approved": false}', ""])
    done = cairn("run", "approval", "--input", '{"amount": 500}', stdin=stdin)
    assert done.returncode == 0, done.stderr
    assert "refused" in done.stdout.splitlines()[-1]


def test_a_run_that_asks_where_nobody_answers_is_given_up() -> None:
    done = cairn("run", "approval", "--input", '{"amount": 500}')
    assert done.returncode != 0
    assert "answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_joke_is_the_models(scripted: Scripted) -> None:
    done = cairn("run", "joke", "--input", '{"topic": "math"}', OPENAI_BASE_URL=scripted.url)
    assert done.returncode == 0, done.stderr
    assert "Because 7 ate 9." in done.stdout
    assert [len(asked.body["messages"]) for asked in scripted.asked] == [2, 1]


def test_a_run_that_fails_says_why(here: Command, tmp_path: Path) -> None:
    (tmp_path / "fragile.py").write_text(
        "from cairn import StartEvent, StopEvent, Workflow, step\n\n\n"
        "class FragileFlow(Workflow):\n"
        "    @step\n"
        "    async def drop(self, ev: StartEvent) -> StopEvent:\n"
        "        raise OSError('it is in pieces')\n"
    )
    done = here("run", "fragile", "--workflows", str(tmp_path))
    assert done.returncode == 1
    for word in ("OSError", "it is in pieces"):
        assert word in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_workflows_of_another_folder_are_run(
    here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.py").write_text(
        "from cairn import StartEvent, StopEvent, Workflow, step\n\n\n"
        "class OtherFlow(Workflow):\n"
        "    @step\n"
        "    async def end(self, ev: StartEvent) -> StopEvent:\n"
        "        return StopEvent(result=f'other {ev.word}')\n"
    )
    (tmp_path / "broken.py").write_text("1 /\n")
    asked = ("run", "other", "--input", '{"word": "here"}')
    by_option = here(*asked, "--workflows", str(tmp_path))
    monkeypatch.setenv("CAIRN_WORKFLOWS", str(tmp_path))
    by_setting = here(*asked)
    for done in (by_option, by_setting):
        assert done.returncode == 0, done.stderr
        assert "other here" in done.stdout.splitlines()[-1]


def test_a_broken_file_is_named_when_its_workflow_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("1 /\n")
    refused(cairn("run", "broken", "--workflows", str(tmp_path)), "broken.py", "SyntaxError")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["approval", "--input", '{"amount": '], ["--input", "JSON"]),
        (["approval", "--input", "amount=5"], ["--input", "JSON"]),
        (["approval", "--input", ""], ["--input", "JSON"]),
        (["approval", "--input", '{"amount": NaN}'], ["--input", "JSON"]),
        (["approval", "--input", '{"amount": 1e400}'], ["--input"]),
        (["approval", "--input", "[" * 20_000], ["--input"]),
        (["approval", "--input", "[5]"], ["--input", "object"]),
        (["approval", "--input", "null"], ["--input", "object"]),
        (["approval", "--input", "{}"], ["amount"]),
        (["approval", "--input", '{"amount": "much"}'], ["amount"]),
        (["aproval"], ["aproval", "approval"]),
        (["approval", "--workflows", "/no/such/folder"], ["/no/such/folder"]),
        (["approval", "--workflows", "pyproject.toml"], ["pyproject.toml"]),
        (["approval", "--inputs", "{}"], ["--inputs"]),
        ([], ["name"]),
    ],
    ids=lambda value: " ".join(value)[:40],
)
def test_a_run_that_cannot_be_is_refused_with_the_reason(
    here: Command, arguments: list[str], words: list[str]
) -> None:
    refused(here("run", *arguments), *words)


# Serving


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("by_setting", [False, True])
def test_the_service_is_up_where_it_was_told_and_stops_when_told(
    tmp_path: Path, by_setting: bool
) -> None:
    port = str(free_port())
    url = f"sqlite:///{tmp_path / 'cairn.db'}"
    options = ["--port", port, "--workflows", str(ROOT / "workflows"), "--database-url", url]
    settings = {
        "CAIRN_PORT": port,
        "CAIRN_WORKFLOWS": str(ROOT / "workflows"),
        "CAIRN_DATABASE_URL": url,
    }
    process = subprocess.Popen(
        [CAIRN, "serve", *([] if by_setting else options)],
        cwd=tmp_path,
        env=environment(**(settings if by_setting else {})),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            deadline = time.monotonic() + BOUND
            while True:
                try:
                    assert http.get("/health/ready").json() == {"status": "ok"}
                    break
                except httpx.ConnectError:
                    assert process.poll() is None
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
            run = http.post(
                "/runs",
                json={"workflow": "research", "start_event": {"question": "a and b"}},
                headers={"Prefer": "wait=20"},
            )
            assert (run.status_code, run.json()["status"]) == (200, "completed")
            assert http.get("/docs").headers["content-type"].startswith("text/html")
            assert http.get("/openapi.json").json() == schema()
        assert (tmp_path / "cairn.db").exists()
        process.send_signal(signal.SIGTERM)
        told, _ = process.communicate(timeout=BOUND)
        assert process.returncode in {0, -signal.SIGTERM}
        assert port in told
        assert "Traceback" not in told
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("--port", "99999", "port"),
        ("--port", "http", "port"),
        ("--host", "no.such.host.invalid", ""),
        ("--workflows", "/no/such/folder", "/no/such/folder"),
        ("--database-url", "", "database"),
        ("--database-url", "nonsense", "nonsense"),
        ("--database-url", "sqlite:////no/such/folder/cairn.db", "/no/such/folder"),
        ("--database-url", "sqlite:////tmp", "/tmp"),
        ("--database-url", "mysql://root:secret@localhost/x", "mysql"),
    ],
)
def test_a_service_that_cannot_be_is_refused_with_the_reason(
    tmp_path: Path, option: str, value: str, word: str
) -> None:
    options = {
        "--port": "0",
        "--workflows": str(ROOT / "workflows"),
        "--database-url": f"sqlite:///{tmp_path / 'cairn.db'}",
        option: value,
    }
    done = cairn("serve", *(part for pair in options.items() for part in pair), cwd=tmp_path)
    assert "secret" not in done.stderr
    refused(done, word)


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        url = f"sqlite:///{tmp_path / 'cairn.db'}"
        refused(cairn("serve", "--port", port, "--database-url", url), port)


def test_the_process_gets_as_many_file_descriptors_as_it_can_have_up_to_a_bound() -> None:
    for given, most in (((256, 1000), 800), ((300, 300), 240)):
        told = (
            "import resource; from cairn.api.descriptors import most_connections; "
            f"resource.setrlimit(resource.RLIMIT_NOFILE, {given}); "
            "print(most_connections(), resource.getrlimit(resource.RLIMIT_NOFILE))"
        )
        done = subprocess.run(
            [sys.executable, "-c", told], capture_output=True, text=True, check=False
        )
        assert done.stdout.strip() == f"{most} {given[1], given[1]}", done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CAIRN_PORT", "http"),
        ("CAIRN_LOG_LEVEL", "loud"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused_by_its_name_or_value(
    tmp_path: Path, name: str, value: str
) -> None:
    settings = {"CAIRN_PORT": "0", "CAIRN_WORKFLOWS": str(ROOT / "workflows"), name: value}
    done = cairn("serve", cwd=tmp_path, **settings)
    refused(done, name if name in done.stderr else value)


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "cairn.db"
    text = "this is no database, but a long enough text to look like one" * 100
    file.write_text(text)
    done = cairn("serve", "--port", "0", "--database-url", f"sqlite:///{file}")
    assert file.read_text() == text
    refused(done, "cairn.db")


# The schema


def test_the_schema_in_the_repository_is_what_is_printed_and_nothing_else(tmp_path: Path) -> None:
    done = cairn("openapi", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (ROOT / "openapi" / "openapi.json").read_text()
    assert json.loads(done.stdout) == schema()
    assert list(tmp_path.iterdir()) == []
