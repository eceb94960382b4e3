"""Answer types: the questions of runs, with the types of their answers in the loaded workflows."""

from collections.abc import Sequence
from dataclasses import replace

from cairn.catalog import Catalog
from cairn.store.questions import OpenQuestion
from cairn.store.run_views import RunView


def of_run(catalog: Catalog, run: RunView) -> RunView:
    """The run, with the types of the awaited answers if the workflow is loaded."""
    if run.workflow not in catalog.workflows or not run.waiting_for:
        return run
    return replace(run, waiting_for=of_questions(catalog, run.workflow, run.waiting_for))


def of_questions(
    catalog: Catalog, workflow: str, questions: Sequence[OpenQuestion]
) -> Sequence[OpenQuestion]:
    """The questions of a run, with the types of their answers if the workflow is loaded."""
    found = catalog.workflows.get(workflow)
    if found is None:
        return questions
    kind_of = found.graph.event_type
    return [replace(each, answer_type=kind_of(each.event_type)) for each in questions]
