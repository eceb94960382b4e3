"""Drawings of workflows and of runs: as self-contained HTML, SVG, or Mermaid text.

    draw_all_possible_flows(JokeFlow, "joke.html")
    draw_most_recent_execution(handler, "joke_run.html")

`all_possible_flows` and `most_recent_execution` return a picture, which `page`, `svg` and `mermaid`
turn into text.
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
"""The writers of drawings, by the ending of the file's name."""

Drawable = Workflow | type[Workflow] | WorkflowGraph
Recent = Handler | Context[Any] | Sequence[Checkpoint] | Workflow


class InNotebook:
    """A drawing that a notebook shows, if the last expression of a cell."""

    def __init__(self, html: str) -> None:
        self.html = html

    def _repr_html_(self) -> str:
        return in_notebook(self.html)


def draw_all_possible_flows(
    workflow: Drawable,
    filename: str | PathLike[str] = "workflow_all_flows.html",
    notebook: bool = False,
) -> InNotebook | None:
    """Write a drawing of a workflow's steps and of the events between the steps.

    Args:
        workflow: a workflow, its class, or its graph, which may be filtered.
        filename: the file to write. The ending chooses the form: `.html` (self-contained), `.svg`
            or `.mmd` (Mermaid).
        notebook: whether to return the drawing, too, for display in a notebook.

    Raises:
        ValueError: the ending of the file's name is none of these.
        WorkflowValidationError: steps and events do not fit together.
    """
    return _draw(lambda: all_possible_flows(workflow), filename, notebook)


def draw_most_recent_execution(
    subject: Recent,
    filename: str | PathLike[str] = "workflow_recent_execution.html",
    notebook: bool = False,
) -> InNotebook | None:
    """Write a drawing of a run: each execution of a step, in order, with its events.

    Deliveries without an execution, since the run failed, waits or is under way, are drawn as
    pending.

    Args:
        subject: the handler of a run. Or a context, a list of checkpoints or a workflow, for the
            most recent run there; of checkpoints, up to the newest.
        filename: the file to write. The ending chooses the form: `.html` (self-contained), `.svg`
            or `.mmd` (Mermaid).
        notebook: whether to return the drawing, too, for display in a notebook.

    Raises:
        ValueError: there is no run to draw, the checkpoints were read from JSON, the context is
            that of a step, or the ending of the file's name is none of these.
        TypeError: the subject is of no type named above.
    """
    return _draw(lambda: most_recent_execution(subject), filename, notebook)


def all_possible_flows(workflow: Drawable) -> Picture:
    """Return a picture of a workflow's steps and of the events between the steps.

    Raises:
        WorkflowValidationError: steps and events do not fit together.
    """
    if not isinstance(workflow, WorkflowGraph):
        workflow = get_workflow_representation(workflow)
    return picture_of_graph(workflow)


def most_recent_execution(subject: Recent) -> Picture:
    """Return a picture of a run; see `draw_most_recent_execution` for the subject.

    Raises:
        ValueError: there is no run to draw, the checkpoints were read from JSON, or the context is
            that of a step.
        TypeError: the subject is of no type that has a run.
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
