"""The workflows that come with Cairn, in process and over HTTP."""

import ast
from collections.abc import AsyncIterator, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from cairn import Context, StopEvent, Workflow
from tests.api.asking import Cairn, refused, serving, steps
from tests.scripted_model import Scripted, completion

SHIPPED = Path(__file__).parent.parent / "workflows"


@pytest.fixture
async def cairn(tmp_path: Path, nothing_configured: None) -> AsyncIterator[Cairn]:
    """The service with the shipped workflows."""
    async with serving(f"sqlite:///{tmp_path / 'cairn.db'}", SHIPPED) as cairn:
        yield cairn


def shipped(name: str) -> ModuleType:
    """A file of the folder, which is not a package."""
    spec = spec_from_file_location(f"shipped_{name}", SHIPPED / f"{name}.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def workflow(name: str) -> Workflow:
    flow = getattr(shipped(name), f"{name.capitalize()}Flow")()
    assert isinstance(flow, Workflow)
    return flow


PACKAGE = SHIPPED.parent / "app" / "cairn"
FILES = [it for folder in (SHIPPED, *PACKAGE.rglob("workflows")) for it in folder.glob("*.py")]


def imported(file: Path) -> Iterator[str]:
    """The modules that a file imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."


@pytest.mark.parametrize("file", FILES, ids=str)
def test_workflows_see_the_language_and_nothing_else_of_cairn(file: Path) -> None:
    names = set(imported(file))
    assert "cairn" in names
    assert {name for name in names if name.startswith(("cairn.", "app"))} <= {"cairn.llm"}


QUESTION = "cats, wild dogs and owls?"
ANSWER = {
    "answer": "cats: it is all about cats\n"
    "wild dogs: it is all about wild\n"
    "owls: it is all about owls",
    "parts": 3,
}


async def test_all_are_served(cairn: Cairn) -> None:
    page = await cairn.get("/workflows")
    assert page["broken"] == []
    assert {w["name"] for w in page["items"]} == {"joke", "research", "approval"}
    assert all(w["description"] for w in page["items"])


# research


async def test_research_answers_in_process() -> None:
    handler = workflow("research").run(question=QUESTION)
    answer = await handler
    assert isinstance(answer, StopEvent)
    assert (answer.get("answer"), answer.get("parts")) == (ANSWER["answer"], ANSWER["parts"])
    found = handler.ctx.filter_checkpoints(last_completed_step="research")
    assert len(found) == 3


async def test_research_answers_over_http(cairn: Cairn) -> None:
    run = await cairn.completed("research", {"question": QUESTION})
    assert {key: run["result"][key] for key in ANSWER} == ANSWER
    done = steps(await cairn.checkpoints(run))
    assert [done.count(step) for step in ("split", "research", "answer")] == [1, 3, 3]
    last = (await cairn.checkpoints(run))[-1]
    whole = await cairn.get(f"/checkpoints/{last['id']}")
    assert whole["ctx_state"]["globals"]["words"] == 4


async def test_research_gives_the_same_answer_from_any_of_its_checkpoints(cairn: Cairn) -> None:
    run = await cairn.completed("research", {"question": QUESTION})
    for checkpoint in (await cairn.checkpoints(run))[:-1]:
        rerun = await cairn.until(await cairn.rerun(checkpoint), "completed")
        assert rerun["result"] == run["result"]
        last = (await cairn.checkpoints(rerun))[-1]
        state = (await cairn.get(f"/checkpoints/{last['id']}"))["ctx_state"]
        assert state["globals"]["words"] == 4


@pytest.mark.parametrize("question", ["", "?", ",", " and ", "one", "a,b,,c", "x" * 10_000])
async def test_research_answers_any_question(cairn: Cairn, question: str) -> None:
    run = await cairn.completed("research", {"question": question})
    assert run["result"]["parts"] == len(run["result"]["answer"].splitlines()) >= 1


async def test_research_has_many_parts(cairn: Cairn) -> None:
    parts = [f"part{number}" for number in range(50)]
    run = await cairn.completed("research", {"question": " and ".join(parts)})
    assert run["result"]["answer"].splitlines() == [f"{p}: it is all about {p}" for p in parts]


async def test_research_without_a_question_is_refused(cairn: Cairn) -> None:
    refused(await cairn.http.post("/runs", json={"workflow": "research"}), 422, "question")


# approval


@pytest.mark.parametrize(
    ("decision", "result"),
    [
        ({"approved": True}, "approved"),
        ({"approved": False, "comment": "too much"}, "refused: too much"),
    ],
)
async def test_approval_goes_on_with_the_answer_in_process(
    decision: dict[str, object], result: str
) -> None:
    module = shipped("approval")
    flow = module.ApprovalFlow()
    ctx = Context(workflow=flow)
    handler = flow.run(ctx=ctx, amount=500, reason="a chair")
    async for event in handler.stream_events():
        if isinstance(event, module.ApprovalRequired):
            assert event.get("question") == "Pay 500 for a chair?"
            handler.send_event(module.Decision(**decision))
    assert await handler == result


async def test_approval_goes_on_with_the_answer_over_http(cairn: Cairn) -> None:
    run = await cairn.start("approval", {"amount": 500, "reason": "a chair"})
    await cairn.until(run, "waiting")
    [asked] = await cairn.checkpoints(run, include="events", output_event_type="ApprovalRequired")
    assert asked["output_event"]["data"] == {"question": "Pay 500 for a chair?", "amount": 500}
    await cairn.tell(run, "Decision", approved=True, comment="sit down")
    assert (await cairn.until(run, "completed"))["result"] == "approved: sit down"


async def test_approval_asks_again_when_it_is_rerun_from_before_the_answer(cairn: Cairn) -> None:
    run = await cairn.until(await cairn.start("approval", {"amount": 500}), "waiting")
    await cairn.tell(run, "Decision", approved=True)
    await cairn.until(run, "completed")
    [asked] = await cairn.checkpoints(run, last_completed_step="ask")
    rerun = await cairn.until(await cairn.rerun(asked), "waiting")
    await cairn.tell(rerun, "Decision", approved=False)
    assert (await cairn.until(rerun, "completed"))["result"] == "refused"
    assert (await cairn.get(f"/runs/{run['id']}"))["result"] == "approved"


async def test_approval_of_a_small_amount_asks_nobody(cairn: Cairn) -> None:
    run = await cairn.completed("approval", {"amount": 99})
    assert "approved" in run["result"]
    assert await cairn.checkpoints(run, output_event_type="ApprovalRequired") == []


# joke


async def test_the_joke_is_written_and_criticised_by_the_model_in_process(
    scripted: Scripted,
) -> None:
    handler = workflow("joke").run(topic="math")
    assert await handler == "Because 7 ate 9."
    joke, critique = [asked.body["messages"][-1]["content"] for asked in scripted.asked]
    assert "math" in joke
    assert "Because 7 ate 9." in critique


async def test_the_notebook_goes_through_with_the_joke_that_is_shipped(
    scripted: Scripted, cairn: Cairn
) -> None:
    context = await cairn.context("joke")
    for topic in ("chemistry", "biology", "physics"):
        await cairn.completed("joke", {"topic": topic}, context)
    path = f"/contexts/{context}/checkpoints"
    assert len((await cairn.get(path))["items"]) == 9
    assert len((await cairn.get(path, output_event_type="StopEvent"))["items"]) == 3
    jokes = (await cairn.get(path, last_completed_step="generate_joke"))["items"]
    assert len(jokes) == 3
    scripted.asked.clear()
    scripted.answer = completion("I have heard better.")
    rerun = await cairn.until(await cairn.rerun(jokes[0]), "completed")
    assert rerun["result"] == "I have heard better."
    [asked] = scripted.asked
    assert "Because 7 ate 9." in asked.body["messages"][-1]["content"]
    assert len((await cairn.get(path))["items"]) == 10


async def test_a_joke_that_the_model_refuses_fails_its_run_and_is_rerun_later(
    scripted: Scripted, cairn: Cairn
) -> None:
    scripted.status, scripted.answer = 401, '{"error": {"message": "no"}}'
    failed = await cairn.until(await cairn.start("joke", {"topic": "math"}), "failed")
    assert failed["error"]["step"] == "generate_joke"
    assert "OPENAI_API_KEY" in failed["error"]["message"]
    scripted.status, scripted.answer = 200, completion("Better now.")
    last = (await cairn.checkpoints(failed))[-1]
    rerun = await cairn.until(await cairn.rerun(last), "completed")
    assert rerun["result"] == "Better now."


async def test_a_joke_about_nothing_fails_its_run(scripted: Scripted, cairn: Cairn) -> None:
    failed = await cairn.until(await cairn.start("joke"), "failed")
    assert (failed["error"]["type"], failed["error"]["step"]) == ("AttributeError", "generate_joke")
    assert "topic" in failed["error"]["message"]
    assert scripted.asked == []
