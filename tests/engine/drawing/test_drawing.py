"""Drawings of workflows: every step, event and edge of them, and nothing from elsewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from cairn import (
    Event,
    StartEvent,
    StopEvent,
    Workflow,
    draw_all_possible_flows,
    draw_most_recent_execution,
    get_workflow_representation,
    step,
)
from cairn.engine.drawing import all_possible_flows, mermaid, most_recent_execution, page, svg
from cairn.engine.drawing.layout import lay_out
from tests.engine.flows.asking import Approving
from tests.engine.flows.sending import Chain, Loop
from tests.engine.flows.shapes import Shape
from tests.engine.tools.runs import ended
from tests.engine.tools.svg_reader import shown_in

HOSTILE = '</title></svg><script>alert("x")</script>&\'`#;]\n--> \x0b'


def hostile() -> type[Workflow]:
    """A workflow whose every name is an attack."""
    event = type(f"Event{HOSTILE}", (Event,), {"__module__": __name__, "__doc__": HOSTILE})

    async def first(self: Any, ev: Any) -> Any:
        return event(said=HOSTILE)

    async def last(self: Any, ev: Any) -> Any:
        return StopEvent(result=HOSTILE)

    steps = {}
    for function, takes, gives in ((first, StartEvent, event), (last, event, StopEvent)):
        function.__name__ += HOSTILE
        function.__qualname__ = f"Flow.{function.__name__}"
        function.__doc__ = HOSTILE
        function.__annotations__ = {"ev": takes, "return": gives}
        steps[function.__name__] = step(function)
    return type(f"Flow{HOSTILE}", (Workflow,), {**steps, "__doc__": HOSTILE})


class Elements(HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_every_step_event_and_edge_is_drawn(shape: Shape) -> None:
    graph = shape.workflow.graph_of_class()
    shown = shown_in(all_possible_flows(shape.workflow))
    assert set(shown.named("step")) == set(graph.steps)
    used = {e.__name__ for s in graph.steps.values() for e in (*s.takes, *s.gives)}
    assert {n for k in ("start", "event", "stop") for n in shown.named(k)} == used
    for each in graph.steps.values():
        assert {(e.__name__, each.name) for e in each.takes} <= shown.edges
        assert {(each.name, e.__name__) for e in each.gives} <= shown.edges


def test_a_workflow_and_its_class_are_drawn_alike() -> None:
    assert page(all_possible_flows(Chain())) == page(all_possible_flows(Chain))


def test_a_graph_without_some_of_its_nodes_is_drawn_too() -> None:
    steps_alone = get_workflow_representation(Chain).filter_by_node_type("event")
    shown = shown_in(all_possible_flows(steps_alone))
    assert shown.edges == {("begin", "double"), ("double", "end")}


def test_a_person_who_is_asked_is_drawn() -> None:
    shown = shown_in(all_possible_flows(Approving))
    assert {("Question", "person"), ("person", "Answer")} <= shown.edges


def test_the_page_needs_nothing_from_elsewhere_and_no_script() -> None:
    text = page(all_possible_flows(Loop))
    elements = Elements(text)
    assert not elements.tags & {"script", "link", "img", "iframe", "object", "use"}
    assert not elements.attributes & {"src", "href", "xlink:href"}
    assert set(re.findall(r"https?://[^\"' <]+", text)) == {"http://www.w3.org/2000/svg"}
    assert set(re.findall(r"url\(([^)]*)\)", text)) == {"#arrow"}
    assert "@import" not in text


def test_the_page_can_be_read_without_seeing_it() -> None:
    text = page(all_possible_flows(Chain))
    assert 'aria-labelledby="picture-title picture-description"' in text
    assert '<title id="picture-title">Chain</title>' in text
    assert "One step after another; each leaves a word.</desc>" in text
    assert "<code>double</code> takes <code>Part</code>; gives <code>Done</code>" in text


def test_the_page_has_colours_for_light_and_for_dark() -> None:
    text = page(all_possible_flows(Chain))
    assert "color-scheme: light dark" in text
    assert text.count("prefers-color-scheme: dark") == 2


async def test_hostile_names_docstrings_and_values_are_escaped() -> None:
    workflow = hostile()()
    handler, harmless = workflow.run(topic=HOSTILE), Chain().run()
    await ended(handler)
    await ended(harmless)
    plain = Elements(page(most_recent_execution(harmless)))
    for picture in (all_possible_flows(workflow), most_recent_execution(handler)):
        assert len(shown_in(picture).nodes) == 5
        drawn = Elements(page(picture))
        assert drawn.tags <= plain.tags
        assert drawn.attributes <= plain.attributes
        assert "\x0b" not in page(picture)


async def test_hostile_names_and_values_do_not_end_a_label_of_mermaid() -> None:
    workflow = hostile()()
    handler = workflow.run(topic=HOSTILE)
    await ended(handler)
    line = re.compile(
        r"    \w+(\[\"[^\"]*\"\]|\(\[\"[^\"]*\"\]\)):::\w+|    \w+ (-->|-\.->) \w+|    classDef .*"
    )
    for picture in (all_possible_flows(workflow), most_recent_execution(handler)):
        head, *lines = mermaid(picture).splitlines()
        assert head == "flowchart TD"
        assert [each for each in lines if not line.fullmatch(each)] == []
        assert not re.search(r"<(?!br/>)", mermaid(picture))


def test_mermaid_text_has_every_node_and_edge() -> None:
    text = mermaid(all_possible_flows(Loop))
    assert '    step_around["around"]:::step\n' in text
    assert "    event_Part --> step_around\n" in text
    assert "    step_around --> event_Part\n" in text
    assert text.count("-->") == 5


def test_a_step_may_have_a_name_that_means_something_to_mermaid() -> None:
    assert '    step_end["end"]' in mermaid(all_possible_flows(Chain))


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("flows.html", "<!doctype html>"),
        ("FLOWS.HTML", "<!doctype html>"),
        ("flows.svg", "<svg "),
        ("flows.mmd", "flowchart TD\n"),
    ],
)
def test_the_ending_of_the_name_says_as_what_it_is_written(
    tmp_path: Path, name: str, beginning: str
) -> None:
    assert draw_all_possible_flows(Chain, tmp_path / name) is None
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(beginning)


def test_without_a_name_it_is_written_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    draw_all_possible_flows(workflow=Chain())
    assert (tmp_path / "workflow_all_flows.html").exists()


def test_an_ending_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'flows.pdf': end the name in \.html, \.svg or \.mmd\."):
        draw_all_possible_flows(Chain, str(tmp_path / "flows.pdf"))
    with pytest.raises(ValueError, match="'flows'"):
        draw_most_recent_execution([], tmp_path / "flows")
    assert list(tmp_path.iterdir()) == []


def test_a_notebook_shows_it_in_a_frame_of_its_own(tmp_path: Path) -> None:
    drawn = draw_all_possible_flows(Chain, tmp_path / "flows.mmd", notebook=True)
    assert drawn is not None
    frame = drawn._repr_html_()
    assert frame.startswith('<iframe srcdoc="&lt;!doctype html&gt;')
    assert Elements(frame).tags == {"iframe"}


def test_long_names_are_broken_into_lines() -> None:
    async def wordy(self: Any, ev: StartEvent) -> StopEvent:
        return StopEvent()

    wordy.__name__ = "a_step_whose_name_goes_on_" * 3
    wordy.__qualname__ = f"Long.{wordy.__name__}"
    workflow = type("Long", (Workflow,), {wordy.__name__: step(wordy)})
    drawn = svg(all_possible_flows(workflow))
    assert max(map(len, re.findall(r"<text [^>]*>([^<]*)</text>", drawn))) <= 26


@pytest.mark.parametrize(
    "edges",
    [
        [(0, 1), (1, 2), (2, 3), (3, 4)],
        [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4), (0, 4)],
        [(0, 1), (1, 2), (2, 1), (2, 0), (3, 3), (4, 2)],
        [],
    ],
    ids=["chain", "diamond", "loops", "apart"],
)
@pytest.mark.parametrize("sideways", [False, True])
def test_nothing_is_drawn_over_anything_or_outside(
    edges: list[tuple[int, int]], sideways: bool
) -> None:
    sizes = [(80.0 + 30 * number, 30.0 + 5 * number) for number in range(5)]
    layout = lay_out(sizes, edges, sideways)
    boxes = [
        (at.x - w / 2, at.y - h / 2, at.x + w / 2, at.y + h / 2)
        for at, (w, h) in zip(layout.nodes, sizes, strict=True)
    ]
    for number, (left, top, right, bottom) in enumerate(boxes):
        assert left >= 0
        assert top >= 0
        assert right <= layout.width
        assert bottom <= layout.height
        for other in boxes[number + 1 :]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
    for curve in layout.curves:
        assert len(curve) % 3 == 1
        for point in curve:
            assert 0 <= point.x <= layout.width
            assert 0 <= point.y <= layout.height


def test_an_empty_drawing_is_one() -> None:
    assert lay_out([], []).curves == []
