"""The folder of workflows: what is served, and what could not be loaded."""

import asyncio
import signal
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from cairn import catalog
from tests.api.asking import Cairn, Json, refused, serving

WORKFLOW = {
    "name",
    "description",
    "start_event_schema",
    "stop_event_schema",
    "event_schemas",
    "steps",
    "graph",
}

SOUND = """
from cairn import StartEvent, StopEvent, Workflow, step

class SoundFlow(Workflow):
    @step
    async def end(self, ev: StartEvent) -> StopEvent:
        return StopEvent(result="sound")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one sound workflow in it."""
    folder = tmp_path / "workflows"
    folder.mkdir()
    (folder / "sound.py").write_text(SOUND)
    return folder


async def listed(database: str, folder: Path) -> Json:
    """The workflows of the folder, of which the sound one runs."""
    async with serving(database, folder) as cairn:
        assert (await cairn.completed("sound"))["result"] == "sound"
        page: Json = await cairn.get("/workflows")
        return page


# What is served


async def test_the_workflows_are_listed(cairn: Cairn) -> None:
    page = await cairn.get("/workflows")
    assert page["next_cursor"] is None
    assert page["broken"] == []
    names = [workflow["name"] for workflow in page["items"]]
    assert len(names) == len(set(names))
    assert {"joke", "slow", "approval", "mid_step", "unstorable_result"} <= set(names)
    for workflow in page["items"]:
        assert workflow.keys() == WORKFLOW
        assert await cairn.get(f"/workflows/{workflow['name']}") == workflow


async def test_a_workflow_is_shown_with_its_steps_and_what_they_take_and_give(
    cairn: Cairn,
) -> None:
    joke = await cairn.get("/workflows/joke")
    assert joke["description"] == "Writes a joke about a topic, then criticises it."
    steps = [(step["name"], step["takes"], step["gives"]) for step in joke["steps"]]
    assert steps == [
        ("generate_joke", ["StartEvent"], ["JokeEvent"]),
        ("critique_joke", ["JokeEvent"], ["StopEvent"]),
    ]
    assert all(step["num_workers"] >= 1 for step in joke["steps"])


async def test_the_schema_of_every_event_is_shown(cairn: Cairn) -> None:
    approval = await cairn.get("/workflows/approval")
    assert approval["start_event_schema"]["properties"].keys() == {"amount"}
    assert approval["start_event_schema"]["required"] == ["amount"]
    assert approval["event_schemas"].keys() >= {"Payment", "Question", "Verdict", "StopEvent"}
    assert approval["event_schemas"]["Payment"] == approval["start_event_schema"]
    assert approval["event_schemas"]["StopEvent"] == approval["stop_event_schema"]
    verdict = approval["event_schemas"]["Verdict"]
    assert verdict["properties"]["approved"]["type"] == "boolean"
    assert verdict["properties"]["by"]["default"] == "nobody"
    assert verdict["required"] == ["approved"]


async def test_a_start_event_with_dynamic_fields_takes_any(cairn: Cairn) -> None:
    schema = (await cairn.get("/workflows/joke"))["start_event_schema"]
    assert schema["type"] == "object"
    assert schema.get("additionalProperties", True) is not False


async def test_the_graph_is_mermaid_and_names_steps_and_events(cairn: Cairn) -> None:
    graph = (await cairn.get("/workflows/approval"))["graph"]
    assert graph.startswith("flowchart TD\n")
    for name in ("ask", "decide", "Payment", "Question", "Verdict", "StopEvent"):
        assert f'"{name}"' in graph


async def test_the_graph_of_a_step_whose_name_means_something_to_mermaid_can_be_drawn(
    database: str, folder: Path
) -> None:
    (workflow,) = (await listed(database, folder))["items"]
    assert 'step_end["end"]' in workflow["graph"]


async def test_a_step_that_sends_events_gives_what_it_says_it_gives(cairn: Cairn) -> None:
    scatter = await cairn.get("/workflows/scatter")
    gives = {step["name"]: step["gives"] for step in scatter["steps"]}
    assert gives["scatter"][0] == "Part"
    assert gives["gather"][0] == "StopEvent"


@pytest.mark.parametrize("name", ["jest", "Joke", "JOKE", "JokeFlow", "joke ", ""])
async def test_a_workflow_that_is_not_there_is_a_404(cairn: Cairn, name: str) -> None:
    if name:
        refused(await cairn.http.get(f"/workflows/{name}"), 404, name)
    refused(await cairn.http.post("/runs", json={"workflow": name}), 404)


# Names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("class JokeFlow(Workflow):", "joke"),
        ("class MathJokeWorkflow(Workflow):", "math_joke"),
        ("class HTTPCheck(Workflow):", "http_check"),
        ("class Step2Flow(Workflow):", "step2"),
        ("class WorkflowTest(Workflow):", "workflow_test"),
        ("class JokeFlow(Workflow):\n    name = 'own'", "own"),
    ],
)
async def test_a_workflow_has_its_own_name_or_one_from_its_class(
    database: str, folder: Path, text: str, name: str
) -> None:
    (folder / "named.py").write_text(SOUND.replace("class SoundFlow(Workflow):", text))
    page = await listed(database, folder)
    assert page["broken"] == []
    assert {workflow["name"] for workflow in page["items"]} == {"sound", name}


async def test_a_file_may_hold_many_workflows_or_none(database: str, folder: Path) -> None:
    more = SOUND.replace("SoundFlow", "OneFlow") + SOUND.replace("SoundFlow", "TwoFlow")
    (folder / "many.py").write_text(more)
    (folder / "none.py").write_text("NUMBER = 7\n")
    (folder / "notes.txt").write_text("this is no Python")
    page = await listed(database, folder)
    assert page["broken"] == []
    assert {workflow["name"] for workflow in page["items"]} == {"one", "sound", "two"}


async def test_a_workflow_that_a_file_imports_is_not_its_own(database: str, folder: Path) -> None:
    (folder / "derived.py").write_text(
        SOUND.replace("class SoundFlow(Workflow)", "class _Common(Workflow)")
        + "class DerivedFlow(_Common):\n    pass\n"
    )
    names = {workflow["name"] for workflow in (await listed(database, folder))["items"]}
    assert {"sound", "derived"} <= names
    assert "workflow" not in names


async def test_two_files_may_have_events_of_the_same_name(database: str, folder: Path) -> None:
    for name in ("Left", "Right"):
        out = f"class Out(StopEvent):\n    side: str = {name!r}\n\n"
        text = SOUND.replace("class SoundFlow", f"{out}class {name}Flow")
        text = text.replace("-> StopEvent", "-> Out").replace('StopEvent(result="sound")', "Out()")
        (folder / f"{name}.py").write_text(text)
    async with serving(database, folder) as cairn:
        for name in ("Left", "Right"):
            run = await cairn.completed(name.lower())
            stop = (await cairn.checkpoints(run, include="events"))[-1]["output_event"]
            assert (stop["type"], stop["data"]["side"]) == ("Out", name)


# What cannot be loaded

TWIN = SOUND.replace("SoundFlow", "TwinFlow")
DANGLING = """
class Lost(Event):
    pass

class DanglingFlow(Workflow):
    @step
    async def begin(self, ev: StartEvent) -> Lost:
        return Lost()

    @step
    async def end(self, ev: Found) -> StopEvent:
        return StopEvent()
"""
IMPORTS = "from cairn import Event, StartEvent, StopEvent, Workflow, step\n"
BROKEN: dict[str, tuple[str, str]] = {
    "syntax": ("class Broken(:\n", "SyntaxError"),
    "indentation": ("def f():\nreturn 1\n", "IndentationError"),
    "missing_module": ("import no_such_module_here\n", "no_such_module_here"),
    "earlier_name": ("from app.engine import Workflow\n", "from cairn import Workflow, step"),
    "missing_name": ("from cairn import NoSuchName\n", "NoSuchName"),
    "raising": ("raise RuntimeError('the moon is full')\n", "the moon is full"),
    "telling": ("raise RuntimeError(f'wrong in {__file__}')\n", "RuntimeError"),
    "exiting": ("import sys\nsys.exit('that is all')\n", "SystemExit"),
    "not_text": ("\0", "null"),
    "no_such_event": (IMPORTS + DANGLING, "Found"),
    "never_consumed": (
        IMPORTS
        + DANGLING.replace("Found", "Lost")
        + """
class Stray(Event):
    pass

class StrayFlow(Workflow):
    @step
    async def begin(self, ev: StartEvent) -> Stray | StopEvent:
        return Stray()
""",
        "Stray",
    ),
    "never_produced": (IMPORTS + "class Found(Event):\n    pass\n" + DANGLING, "Found"),
    "no_start": (
        IMPORTS
        + """
class NoStartFlow(Workflow):
    @step
    async def end(self, ev: Event) -> StopEvent:
        return StopEvent()
""",
        "StartEvent",
    ),
    "needy": (
        SOUND.replace(
            "    @step",
            "    def __init__(self, key: str) -> None:\n        super().__init__()\n\n    @step",
        ).replace("SoundFlow", "NeedyFlow"),
        "key",
    ),
    "baseless": ("raise BaseException('no less')\n", "no less"),
    "cancelling": ("import asyncio\nraise asyncio.CancelledError\n", "CancelledError"),
    "skipping": ("import pytest\npytest.skip('not today', allow_module_level=True)\n", "not today"),
    "closing": ("raise GeneratorExit\n", "GeneratorExit"),
    "unspeakable": (
        "class Mute(Exception):\n    def __str__(self):\n        raise ValueError\n\nraise Mute\n",
        "Mute",
    ),
    "made_badly": (
        SOUND.replace(
            "    @step",
            "    def __init__(self) -> None:\n        raise SystemExit('no more')\n\n    @step",
        ).replace("SoundFlow", "BadlyMadeFlow"),
        "no more",
    ),
    "recursive": ("def f():\n    f()\n\nf()\n", "RecursionError"),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_file_that_cannot_be_loaded_is_reported_and_the_others_are_served(
    database: str, folder: Path, case: str
) -> None:
    text, word = BROKEN[case]
    (folder / f"{case}.py").write_text(text)
    page = await listed(database, folder)
    [broken] = page["broken"]
    assert broken["file"] == f"{case}.py"
    assert word in broken["error"]
    for leak in (str(folder), str(folder.parent), str(Path(__file__).parents[2]), "Traceback"):
        assert leak not in broken["error"]
    assert "sound" in {workflow["name"] for workflow in page["items"]}


SLEEPING = "import time\n\ndef nap():\n    time.sleep(3600)\n\n"
LATE = {
    "sleeping": (SLEEPING + "nap()\n", "line 4, in nap:4"),
    "working": ("while True:\n    pass\n", "line"),
    "hiding": (
        SLEEPING + "try:\n    nap()\nexcept Exception:\n    nap()\n",
        "line 4, in nap:4",
    ),
    "trying": (
        SLEEPING + "while True:\n    try:\n        nap()\n    except:\n        nap()\n",
        "line 4, in nap:4",
    ),
    "made_slowly": (
        SLEEPING
        + SOUND.replace(
            "    @step", "    def __init__(self) -> None:\n        nap()\n\n    @step"
        ).replace("SoundFlow", "SlowlyMadeFlow"),
        "line 4, in nap:4",
    ),
}


@pytest.mark.parametrize("case", LATE)
async def test_a_file_that_does_not_finish_loading_is_interrupted_and_the_others_are_served(
    database: str, folder: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, where = LATE[case]
    (folder / f"{case}.py").write_text(text)
    monkeypatch.setattr(catalog, "SLOW_SECONDS", 0.1)
    with capture_logs() as told:
        async with serving(database, folder, load_seconds=0.3) as cairn:
            assert (await cairn.completed("sound"))["result"] == "sound"
            [broken] = (await cairn.get("/workflows"))["broken"]
    assert broken["file"] == f"{case}.py"
    assert "still loading after 0.3 s" in broken["error"]
    assert where in broken["error"]
    [slow] = [line for line in told if line["event"] == "workflow file still loading"]
    assert (slow["file"], slow["log_level"]) == (f"{case}.py", "warning")
    assert str(slow["line"]).isdigit()


async def test_a_file_keeps_the_handler_of_signals_that_it_has_set(
    database: str, folder: Path
) -> None:
    before = signal.getsignal(signal.SIGALRM)
    ignore = "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\n"
    (folder / "ringing.py").write_text(ignore)
    try:
        assert (await listed(database, folder))["broken"] == []
        assert signal.getsignal(signal.SIGALRM) is signal.SIG_IGN
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


async def test_an_interrupt_while_a_file_loads_ends_the_start(database: str, folder: Path) -> None:
    (folder / "pressing.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        await listed(database, folder)


async def test_a_broken_workflow_is_not_run(database: str, folder: Path) -> None:
    (folder / "broken.py").write_text(BROKEN["never_produced"][0])
    async with serving(database, folder) as cairn:
        refused(await cairn.http.post("/runs", json={"workflow": "dangling"}), 404, "dangling")
        refused(await cairn.http.get("/workflows/dangling"), 404, "dangling")


async def test_a_sound_workflow_is_served_from_a_file_that_has_a_broken_one_too(
    database: str, folder: Path
) -> None:
    (folder / "both.py").write_text(
        BROKEN["never_produced"][0] + SOUND.replace("SoundFlow", "OtherFlow")
    )
    page = await listed(database, folder)
    assert {workflow["name"] for workflow in page["items"]} == {"other", "sound"}
    assert [broken["file"] for broken in page["broken"]] == ["both.py"]


async def test_of_two_workflows_of_one_name_it_is_said_which_file_has_the_other(
    database: str, folder: Path
) -> None:
    for file in ("first.py", "second.py"):
        (folder / file).write_text(TWIN)
    page = await listed(database, folder)
    assert [workflow["name"] for workflow in page["items"]].count("twin") <= 1
    assert page["broken"]
    for broken in page["broken"]:
        assert broken["file"] in {"first.py", "second.py"}
        assert "twin" in broken["error"]
        assert str(folder) not in broken["error"]


async def test_all_broken_files_are_reported_at_once(database: str, folder: Path) -> None:
    for case, (text, _) in BROKEN.items():
        (folder / f"{case}.py").write_text(text)
    page = await listed(database, folder)
    assert sorted(broken["file"] for broken in page["broken"]) == sorted(
        f"{case}.py" for case in BROKEN
    )


async def test_a_file_that_is_not_utf_8_is_reported(database: str, folder: Path) -> None:
    (folder / "latin.py").write_bytes("name = 'é'".encode("latin-1"))
    page = await listed(database, folder)
    assert [broken["file"] for broken in page["broken"]] == ["latin.py"]


async def test_a_folder_and_a_dangling_link_that_look_like_files_do_no_harm(
    database: str, folder: Path
) -> None:
    (folder / "folder.py").mkdir()
    (folder / "link.py").symlink_to(folder / "nowhere.py")
    page = await listed(database, folder)
    assert {broken["file"] for broken in page["broken"]} <= {"folder.py", "link.py"}
    assert str(folder) not in str(page["broken"])


async def test_an_empty_folder_is_served(database: str, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    async with serving(database, empty) as cairn:
        assert await cairn.get("/workflows") == {"items": [], "broken": [], "next_cursor": None}


# Steps that misbehave do it in their own run

MISBEHAVING = """
import asyncio
import os
import sys

from cairn import StartEvent, StopEvent, Workflow, step

class Custom(BaseException):
    pass

class MisbehavingFlow(Workflow):
    @step
    async def misbehave(self, ev: StartEvent) -> StopEvent:
        match ev.how:
            case "exit":
                sys.exit(3)
            case "custom":
                raise Custom("very wrong")
            case "cancel":
                raise asyncio.CancelledError
            case "cancel itself":
                asyncio.current_task().cancel()
                await asyncio.sleep(0)
            case "stop":
                raise StopIteration
            case "group":
                raise ExceptionGroup("many", [ValueError("one")])
            case "nothing":
                return None
            case "text":
                return "done"
            case "start":
                return StartEvent()
            case "unprintable":
                class Unprintable(Exception):
                    def __str__(self):
                        raise RuntimeError
                raise Unprintable
            case "surrogate":
                raise ValueError("\\ud800")
            case "path":
                open("/no/such/file")
"""


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("exit", "SystemExit"),
        ("custom", "Custom"),
        ("cancel", "CancelledError"),
        ("cancel itself", "CancelledError"),
        ("stop", ""),
        ("group", "ExceptionGroup"),
        ("text", ""),
        ("start", ""),
        ("unprintable", "Unprintable"),
        ("surrogate", "ValueError"),
        ("path", "FileNotFoundError"),
    ],
)
async def test_a_step_that_misbehaves_fails_its_run_and_no_other(
    database: str, folder: Path, how: str, kind: str
) -> None:
    (folder / "misbehaving.py").write_text(MISBEHAVING)
    async with serving(database, folder) as cairn:
        run = await cairn.until(await cairn.start("misbehaving", {"how": how}), "failed")
        assert run["error"]["step"] == "misbehave"
        assert kind in f"{run['error']['type']}: {run['error']['message']}"
        assert (await cairn.completed("sound"))["result"] == "sound"
        assert {run["status"] for run in (await cairn.get("/runs"))["items"]} == {
            "completed",
            "failed",
        }


async def test_a_step_that_gives_nothing_at_the_end_leaves_its_run_waiting(
    database: str, folder: Path
) -> None:
    (folder / "misbehaving.py").write_text(MISBEHAVING)
    async with serving(database, folder) as cairn:
        run = await cairn.start("misbehaving", {"how": "nothing"})
        await cairn.until(run, "waiting")


async def test_a_blocking_step_without_async_does_not_block_the_service(
    database: str, folder: Path, tmp_path: Path
) -> None:
    flag = tmp_path / "go"
    (folder / "blocking.py").write_text(
        SOUND.replace("async def end", "def end")
        .replace("SoundFlow", "BlockingFlow")
        .replace(
            "        return",
            "        while not Path(ev.flag).exists():\n"
            "            time.sleep(0.01)\n        return",
        )
        .replace("\nfrom", "\nimport time\nfrom pathlib import Path\n\nfrom", 1)
    )
    async with serving(database, folder) as cairn:
        run = await cairn.start("blocking", {"flag": str(flag)})
        await cairn.until(run, "running")
        async with asyncio.timeout(5):
            assert (await cairn.completed("sound"))["result"] == "sound"
        flag.touch()
        assert (await cairn.until(run, "completed"))["result"] == "sound"
