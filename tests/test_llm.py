"""The language model: a configured server, over real HTTP, and the real one on this machine."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cairn import llm
from cairn.llm import ModelUnavailable, complete
from tests.scripted_model import Scripted

KEY = "sk-very-secret"

pytestmark = pytest.mark.usefixtures("nothing_configured")


async def test_the_configured_server_is_asked_for_the_configured_model(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\n")
    monkeypatch.setenv("OPENAI_MODEL", "joker-1")
    told = await complete(
        "A joke about math", system="Be brief.", max_tokens=9, temperature=0.5, seed=7
    )
    assert told == "Because 7 ate 9."
    [asked] = scripted.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.authorization == f"Bearer {KEY}"
    assert asked.body == {
        "model": "joker-1",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "A joke about math"},
        ],
        "max_tokens": 9,
        "temperature": 0.5,
        "seed": 7,
    }


async def test_a_server_that_needs_no_key_is_asked_without_one(scripted: Scripted) -> None:
    await complete("A joke")
    [asked] = scripted.asked
    assert asked.body["model"] == "gpt-4o-mini"
    assert asked.body["messages"] == [{"role": "user", "content": "A joke"}]
    assert "seed" not in asked.body


def test_every_event_loop_may_ask(scripted: Scripted) -> None:
    async def two() -> list[str]:
        return list(await asyncio.gather(complete("one"), complete("two")))

    assert asyncio.run(two()) == asyncio.run(two()) == ["Because 7 ate 9."] * 2


async def test_without_its_client_a_model_says_which_extra_to_install(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openai.resources.chat", None)
    with pytest.raises(ModelUnavailable, match=re.escape("pip install 'cairn-workflows[openai]'")):
        await complete("A joke")


REFUSED = json.dumps({"error": {"message": f"not with {KEY}"}})


@pytest.mark.parametrize(
    ("status", "answer", "check"),
    [
        (401, REFUSED, "check OPENAI_API_KEY"),
        (403, REFUSED, "check OPENAI_API_KEY"),
        (404, REFUSED, "no model 'joker-1': check OPENAI_MODEL"),
        (400, REFUSED, "not with ***"),
        (200, "<html>", "check OPENAI_BASE_URL"),
        (200, '{"choices": []}', "check OPENAI_BASE_URL"),
    ],
)
async def test_a_refusal_says_what_to_check_and_never_the_key(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch, status: int, answer: str, check: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_MODEL", "joker-1")
    scripted.status, scripted.answer = status, answer
    with pytest.raises(ModelUnavailable) as refusal:
        await complete("A joke")
    assert scripted.url in str(refusal.value)
    assert check in str(refusal.value)
    assert KEY not in str(refusal.value)
    assert refusal.value.__suppress_context__


async def test_a_server_that_is_down_is_named_without_its_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as taken:  # bound and not listening: nobody answers there
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://me:{KEY}@127.0.0.1:{port}/v1?key={KEY}")
        with pytest.raises(ModelUnavailable) as refusal:
            await complete("A joke")
    assert f"http://127.0.0.1:{port}/v1" in str(refusal.value)
    assert "check OPENAI_BASE_URL" in str(refusal.value)
    assert KEY not in str(refusal.value)


async def test_without_any_model_the_error_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(llm, "_local", llm._LocalModel())
    monkeypatch.setattr(llm, "find_spec", lambda _: None)  # as where they are not installed
    with pytest.raises(ModelUnavailable, match=r"OPENAI_API_KEY.*cairn-workflows\[model\]"):
        await complete("A joke")


@pytest.mark.model
async def test_the_model_on_this_machine_answers_and_repeats_itself_with_a_seed() -> None:
    joke = "Tell a joke about math"
    first, again, other = await asyncio.gather(
        complete(joke, max_tokens=40, seed=7),
        complete(joke, max_tokens=40, seed=7),
        complete("Tell a joke about cats", max_tokens=40, seed=8),
    )
    assert first
    assert first == again == await complete(joke, max_tokens=40, seed=7)
    assert other != first


def ran(script: str) -> subprocess.CompletedProcess[str]:
    """A script that has `run(prompt)`, which asks the model in an event loop of its own."""
    run = """
        import asyncio, os, signal, sys, threading, cairn.llm
        def run(prompt):
            print(asyncio.run(cairn.llm.complete(prompt, max_tokens=20)))
        """
    with tempfile.TemporaryFile("w+") as stderr:  # a pipe would stay open as long as the model
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(run) + textwrap.dedent(script)],
            cwd=Path(__file__).parent.parent,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            timeout=60,
            check=False,
        )
        stderr.seek(0)
        done.stderr = stderr.read()
    return done


@pytest.mark.model
def test_concurrent_first_calls_start_one_model_and_the_program_ends_clean() -> None:
    done = ran(
        """
        started = []
        def heard(name, args):  # openai runs `uname`, too
            if name == "subprocess.Popen" and cairn.llm.__file__ in args[1]:
                started.append(args)
        sys.addaudithook(heard)
        threads = [threading.Thread(target=run, args=("Tell a joke",)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(started) == 1, started
        """
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


@pytest.mark.model
@pytest.mark.crash
def test_a_model_that_died_is_started_again() -> None:
    done = ran(
        """
        run("Tell a joke")
        os.kill(cairn.llm._local._child.pid, signal.SIGKILL)
        cairn.llm._local._child.wait()
        run("Tell a joke")
        """
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.model
@pytest.mark.crash
@pytest.mark.parametrize("death", ["SIGKILL", "SIGTERM"])
def test_the_model_ends_when_its_service_is_killed(death: str) -> None:
    done = ran(
        f"""
        run("Tell a joke")
        print(cairn.llm._local._address[0], flush=True)
        os.kill(os.getpid(), signal.{death})
        """
    )
    assert done.returncode == -getattr(signal, death)
    address = urlsplit(done.stdout.split()[-1])
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection((address.hostname, address.port)).close()
        except ConnectionRefusedError:
            break
        assert time.monotonic() < deadline, "the model outlived its service"
        time.sleep(0.01)
