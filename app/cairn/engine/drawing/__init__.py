"""Workflows and their runs as drawings: HTML that needs nothing else, SVG, or Mermaid text.

    draw_all_possible_flows(JokeFlow, "joke.html")
    draw_most_recent_execution(handler, "joke_run.html")

`page`, `svg` and `mermaid` give the same as text, of the picture that
`all_possible_flows` or `most_recent_execution` makes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from cairn.engine.drawing.flows import picture_of_graph
from cairn.engine.drawing.mermaid import mermaid
from cairn.engine.drawing.page import in_notebook, page
from cairn.engine.drawing.picture import Picture
from cairn.engine.drawing.recent import picture_of_recent
from cairn.engine.drawing.svg import svg
from cairn.engine.language.checkpoint import Checkpoint
from cairn.engine.language.context import Context
from cairn.engine.library.handler import Handler
from cairn.engine.library.workflow import Workflow
from cairn.engine.representation import WorkflowGraph, get_workflow_representation

__all__ = [
    "InNotebook",
    "Picture",
    "all_possible_flows",
    "draw_all_possible_flows",
    "draw_most_recent_execution",
    "mermaid",
    "most_recent_execution",
    "page",
    "svg",
]

FORMS: dict[str, Callable[[Picture], str]] = {
    ".html": page,
    ".svg": svg,
    ".mmd": mermaid,
}
"""How a drawing is written, by the ending of the file's name."""

Drawable = Workflow | type[Workflow] | WorkflowGraph
Recent = Handler | Context[Any] | Sequence[Checkpoint] | Workflow


class InNotebook:
    """A drawing that a notebook shows, where it is the last thing in a cell."""

    def __init__(self, html: str) -> None:
        self.html = html

    def _repr_html_(self) -> str:
        return in_notebook(self.html)


def draw_all_possible_flows(
    workflow: Drawable,
    filename: str | PathLike[str] = "workflow_all_flows.html",
    notebook: bool = False,
) -> InNotebook | None:
    """Write a drawing of all the steps of a workflow, and of the events between them.

    Args:
        workflow: a workflow, its class, or its graph, of which some nodes may be left out.
        filename: where to; its ending says as what: `.html` (which needs nothing else), `.svg`
            or `.mmd`.
        notebook: whether to give the drawing back as well, as something that a notebook shows.

    Raises:
        ValueError: a file of that ending cannot be written.
        WorkflowValidationError: steps and events do not fit together.
    """
    return _draw(lambda: all_possible_flows(workflow), filename, notebook)


def draw_most_recent_execution(
    subject: Recent,
    filename: str | PathLike[str] = "workflow_recent_execution.html",
    notebook: bool = False,
) -> InNotebook | None:
    """Write a drawing of what a run did: each execution of a step, in order, with its events.

    What has not been executed when it is drawn, since the run failed, waits or is under way, is
    drawn as pending.

    Args:
        subject: the handler of the run; or, for the most recent run in it, a context, a list of
            checkpoints, or a workflow; with checkpoints, as far as the newest of them.
        filename: where to; its ending says as what: `.html` (which needs nothing else), `.svg`
            or `.mmd`.
        notebook: whether to give the drawing back as well, as something that a notebook shows.

    Raises:
        ValueError: there is no run yet, checkpoints have been through JSON, or a file of that
            ending cannot be written.
    """
    return _draw(lambda: most_recent_execution(subject), filename, notebook)


def all_possible_flows(workflow: Drawable) -> Picture:
    """The steps of a workflow and the events between them, as a picture.

    Raises:
        WorkflowValidationError: they do not fit together.
    """
    if not isinstance(workflow, WorkflowGraph):
        workflow = get_workflow_representation(workflow)
    return picture_of_graph(workflow)


def most_recent_execution(subject: Recent) -> Picture:
    """What a run did, as a picture; of the subject as in `draw_most_recent_execution`.

    Raises:
        ValueError: there is no run yet, or checkpoints have been through JSON.
    """
    return picture_of_recent(subject)


def _draw(
    picture: Callable[[], Picture], filename: str | PathLike[str], notebook: bool
) -> InNotebook | None:
    path = Path(filename)
    form = FORMS.get(path.suffix.lower())
    if form is None:
        raise ValueError(
            f"A drawing cannot be written as {path.name!r}: end the name in .html, .svg or .mmd."
        )
    drawn = picture()
    path.write_text(form(drawn), encoding="utf-8")
    return InNotebook(page(drawn)) if notebook else None
