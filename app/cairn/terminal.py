"""Terminal: a run in this process, printed as each step completes."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError
from rich.console import Console

from cairn import catalog
from cairn.engine import Event, HumanResponseEvent, StopEvent, Workflow
from cairn.engine.core.facts import Received, Sent
from cairn.engine.core.records import Failure, Head, Record, Status
from cairn.engine.core.snapshot import Snapshot
from cairn.engine.ids import new_id
from cairn.engine.language.ctx_state import shown
from cairn.engine.language.events import outcome
from cairn.engine.runtime.journal import committed
from cairn.engine.runtime.publisher import Publisher
from cairn.engine.runtime.runner import Runner

out = Console(highlight=False)


async def run_here(folder: Path, seconds: float, name: str, fields: dict[str, Any]) -> int:
    """Run a workflow, and print its checkpoints, events and result.

    Args:
        folder: the folder of workflows.
        seconds: the time that each file of the folder may take to load.
        name: the workflow's name.
        fields: the fields of the start event.

    Returns:
        The exit code: 0 for a completed run, 1 for a failed one.

    Raises:
        ValueError: there is no such folder or workflow, the fields do not make the start event, or
            the run waits for an answer that standard input does not have.
    """
    loaded = catalog.load(folder, seconds)
    workflow = loaded.workflows.get(name)
    if workflow is None:
        broken = "".join(f"\n  {each.file}: {each.error}" for each in loaded.broken)
        names = ", ".join(sorted(loaded.workflows)) or "none"
        raise ValueError(
            f"There is no workflow {name!r} in {folder}. There are: {names}."
            + (f"\nThese could not be loaded:{broken}" if broken else "")
        )
    journal = _PrintingJournal()
    publisher = Publisher(workflow.graph, _print_event)
    runner = Runner(workflow, journal, new_id(), Snapshot(), Head(), publisher)
    runner.tell(_received(workflow, workflow.graph.start, fields))
    driving = asyncio.create_task(runner.drive(stay=True))
    while not driving.done():
        waits = asyncio.create_task(journal.waits.wait())
        await asyncio.wait([driving, waits], return_when=asyncio.FIRST_COMPLETED)
        waits.cancel()
        if journal.waits.is_set():
            journal.waits.clear()
            runner.tell(await asyncio.to_thread(_ask, workflow, runner.snapshot))
    await driving
    if runner.end is not None:
        failure = journal.failure
        where = f"{failure.step}: " if failure is not None and failure.step else ""
        error = f"{type(runner.end.error).__name__}: {runner.end.error}"
        out.print(f"✗ {where}{error}", style="red", markup=False)
        return 1
    assert runner.snapshot.stopped is not None
    stop = workflow.graph.serializer.open(runner.snapshot.stopped)
    assert isinstance(stop, StopEvent)
    _print_result(outcome(stop))
    return 0


class _PrintingJournal:
    """A journal that prints the records and keeps none."""

    def __init__(self) -> None:
        self.waits = asyncio.Event()
        self.failure: Failure | None = None

    @property
    def commits_at_once(self) -> bool:
        """True: nothing is kept."""
        return True

    def append(
        self,
        records: Sequence[Record],
        status: Status,
        failure: Failure | None = None,
    ) -> asyncio.Future[None]:
        """Print a line for each record, with the fields of the event given; the future is done."""
        self.failure = failure
        for record in records:
            given = "" if record.output_event is None else f" → {record.output_event.type}"
            out.print(f"● {record.last_completed_step or 'received'}{given}", markup=False)
            if record.output_event is not None and record.last_completed_step is not None:
                for field, value in shown(record.output_event)["data"].items():
                    out.print(f"    {field}: {value}", style="dim", markup=False)
        if status == "waiting":
            self.waits.set()
        return committed()


def _ask(workflow: Workflow, snapshot: Snapshot) -> Received:
    """Ask at the terminal for an event: one that a step waits for, or else one that a step takes.

    Raises:
        ValueError: standard input has ended.
    """
    open_waits = [wait.type for wait in snapshot.waits.values() if wait.answer is None]
    awaited = [workflow.graph.event_type(name) for name in open_waits]
    taken = [kind for step in workflow.graph.steps.values() for kind in step.takes]
    answers = [kind for kind in taken if issubclass(kind, HumanResponseEvent)]
    kind = next((kind for kind in awaited if kind), answers[0] if answers else HumanResponseEvent)
    while True:
        try:
            text = input(f"The run waits. The fields of a {kind.__name__}, as a JSON object: ")
            fields = orjson.loads(text)
            if not isinstance(fields, dict):
                raise ValueError("That is no JSON object.")
            return _received(workflow, kind, fields)
        except EOFError:
            raise ValueError("The run waits for an answer, and there is nobody to ask.") from None
        except ValueError as error:
            out.print(str(error), style="red", markup=False)


def _received(workflow: Workflow, kind: type[Event], fields: dict[str, Any]) -> Received:
    try:
        event = kind.model_validate_json(orjson.dumps(fields))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ValueError(f"These fields do not make a {kind.__name__}: {problems}.") from None
    return Received(Sent(workflow.graph.serializer.seal(event)))


def _print_event(event: Event) -> None:
    out.print(f"◦ {type(event).__name__} {event.to_dict()}", style="cyan", markup=False)


def _print_result(result: object) -> None:
    out.print("✓ completed", style="green")
    printable = result.to_dict() if isinstance(result, Event) else result
    out.print(str(printable), markup=False)
