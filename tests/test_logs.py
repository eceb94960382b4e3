"""The log: what it says of a failing step, what it never shows, and that nobody writes into it."""

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.telling import FORGED

ROOT = Path(__file__).parent.parent
LARGEST_LINE = 4_000  # characters
LARGEST_TRACEBACK = 200  # lines, with the causes
OURS = re.compile(r"\d{4}-\d\d-\d\dT\S+ \[(info|warning|error) *\] ")

both = pytest.mark.parametrize("log_format", ["console", "json"])


@cache
def logged() -> dict[str, str]:
    """All that the program has logged, in each format."""
    with TemporaryDirectory() as home:
        command = [sys.executable, "-m", "tests.telling", home]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        return {file.stem: file.read_bytes().decode() for file in Path(home).glob("*.log")}


def told(log_format: str) -> str:
    """All that the program has logged in that format."""
    return logged()[log_format]


def objects(event: str) -> list[dict[str, object]]:
    """The lines of that event, or that begin so, as JSON."""
    lines = [json.loads(line) for line in told("json").splitlines()]
    return [line for line in lines if str(line["event"]).startswith(event)]


@both
def test_no_variable_of_a_failing_step_is_shown(log_format: str) -> None:
    assert "in leak" in told(log_format), "the traceback is there"
    assert "sk-very-secret" not in told(log_format)


def test_a_line_says_which_step_of_which_run_is_tried_again() -> None:
    retried = objects("step leak failed")
    assert [(line["workflow"], line["step"], line["attempt"]) for line in retried] == [
        ("leaky", "leak", 1)
    ] * 4
    ended = objects("run ended")
    assert [(line["workflow"], line["step"]) for line in ended] == [("leaky", "leak")] * 4
    assert [line["run"] for line in retried] == [line["run"] for line in ended]
    assert "attempt=1" in told("console")


def test_fields_given_to_the_standard_library_are_fields_of_the_line() -> None:
    [line] = objects("said: ")
    assert line["size"] == 7
    assert len(str(line["all"])) < LARGEST_LINE
    [plain] = objects("plain")
    assert plain.keys() == {"event", "level", "timestamp"}


def test_a_thread_that_fails_is_told_in_a_line_too() -> None:
    [line] = objects("thread failed")
    assert line["thread"] == "of a step"
    assert "ValueError: first" in str(line["exception"])


@both
def test_no_text_begins_a_line_of_its_own(log_format: str) -> None:
    output = told(log_format)
    assert "forged" in output
    for line in re.split(r"[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", output.rstrip("\n")):
        assert not line.startswith(FORGED)
        if log_format == "console":
            assert OURS.match(line) or line.startswith("    ")
            assert line.isprintable()
        else:
            assert isinstance(json.loads(line), dict)


@both
def test_long_messages_and_tracebacks_are_cut(log_format: str) -> None:
    output = told(log_format)
    assert "(500,0" in output, "how long it was is said"
    assert "lines left out" in output
    if log_format == "console":
        lines = output.splitlines()
        assert max(map(len, lines)) < LARGEST_LINE
        assert len(lines) < 8 * LARGEST_TRACEBACK
    else:
        tracebacks = [str(line.get("exception", "")).splitlines() for line in objects("run ended")]
        assert max(map(len, tracebacks)) < LARGEST_TRACEBACK
        assert max(len(line) for lines in tracebacks for line in lines) < LARGEST_LINE
        assert max(len(str(line["event"])) for line in objects("")) < LARGEST_LINE
    assert output.count("in deeper") + output.count("repeated") < 60
    assert "ZeroDivisionError" in output
