"""Workflow: what users write. Steps that take events and give events, from start to stop."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import UUID

from pydantic import ValidationError
from uuid_utils.compat import uuid7

from app.engine.checkpoint import WORKFLOWS, Checkpoint, qualified
from app.engine.context import Context
from app.engine.errors import WorkflowConfigurationError, WorkflowRuntimeError
from app.engine.events import Event, InputRequiredEvent, StartEvent
from app.engine.facts import Received, Sent
from app.engine.graph import Graph, graph_of
from app.engine.handler import Handler
from app.engine.journal import Head
from app.engine.snapshot import Snapshot
from app.engine.steps import Step, step_of


class Workflow:
    """Steps, and the events between them.

        class JokeFlow(Workflow):
            @step
            async def generate_joke(self, ev: StartEvent) -> JokeEvent: ...

            @step
            async def critique_joke(self, ev: JokeEvent) -> StopEvent: ...

    A step is started by each event of the types it takes. What it returns, sends and writes to
    its context takes effect together when it completes, and a checkpoint is left then.

    Attributes:
        name: what a service calls the workflow; by default the class's name in snake_case,
            without `Flow` or `Workflow` at its end.
        types: further pydantic models, dataclasses and enums that its events and its state may
            hold. Those named in annotations, and those that the module of the class has defined
            or imported, are known without.
    """

    name: ClassVar[str]
    types: ClassVar[Iterable[type]] = ()

    def __init__(self, timeout: float | None = None) -> None:
        """Make a workflow; one object serves any number of runs.

        Args:
            timeout: how many seconds a run may take, `None` is without end; counted anew when a
                service takes it up again, after a crash or because an event came.
        """
        if timeout is not None and timeout <= 0:
            raise WorkflowConfigurationError(f"timeout must be more than 0 seconds, not {timeout}.")
        self.timeout = timeout

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = _snake_case(cls.__name__)
        WORKFLOWS[qualified(cls)] = cls

    timeout: float | None = None

    @classmethod
    def graph_of_class(cls) -> Graph:
        """The steps and events, put together once for the class.

        Raises:
            WorkflowValidationError: they do not fit together; the message lists all that is wrong.
        """
        graph = cls.__dict__.get("_graph")
        if graph is None:
            graph = graph_of(cls.__name__, cls.__module__, _steps(cls), cls.types)
            cls._graph = graph  # type: ignore[attr-defined]
        assert isinstance(graph, Graph)
        return graph

    @property
    def description(self) -> str:
        """What the docstring of the class says."""
        return inspect.cleandoc(type(self).__doc__ or "")

    @property
    def graph(self) -> Graph:
        """The steps, the events between them, and where each event goes."""
        return self.graph_of_class()

    def validate(self) -> None:
        """Check that steps and events fit together, as the first run does.

        Raises:
            WorkflowValidationError: they do not; the message lists all that is wrong.
        """
        self.graph_of_class()

    def run(
        self, *, ctx: Context | None = None, start_event: StartEvent | None = None, **fields: Any
    ) -> Handler:
        """Start a run, with a start event or with its fields.

        A context takes one run at a time: a second one waits for the first.

        Args:
            ctx: the context to run in; a new one by default.

        Raises:
            WorkflowValidationError: the workflow cannot run.
            WorkflowRuntimeError: the fields do not make a start event, or no event loop runs.
            WorkflowConfigurationError: the context was made for another workflow.
        """
        event = start_event if start_event is not None else self._start_event(fields)
        if start_event is not None and (fields or type(start_event) is not self.graph.start):
            raise WorkflowRuntimeError(
                f"Start with a {self.graph.start.__name__}, or with its fields; not with a "
                f"{type(start_event).__name__}{' and fields besides' if fields else ''}."
            )
        received = Received(Sent(self.graph.serializer.seal(event)))
        return self._handler(ctx, None, Head(), received)

    def run_from(self, checkpoint: Checkpoint, ctx: Context | None = None) -> Handler:
        """Start a run where the checkpoint stands: with what was pending there.

        It begins with the checkpoint's state, whatever the context has become since.

        Args:
            ctx: the context to run in; a new one by default.

        Raises:
            WorkflowRuntimeError: nothing is left to run from there, or no event loop runs.
            WorkflowConfigurationError: the checkpoint or the context is of another workflow.
        """
        if checkpoint.workflow != qualified(type(self)):
            raise WorkflowConfigurationError(
                f"This checkpoint is one of {checkpoint.workflow}, not of {type(self).__name__}."
            )
        if checkpoint.snapshot.stopped is not None:
            raise WorkflowRuntimeError(
                "The run had ended at this checkpoint: nothing is left to run from there. "
                "Take an earlier one."
            )
        head = Head(UUID(checkpoint.id_))
        handler = self._handler(ctx, checkpoint.snapshot, head, None)
        asked = checkpoint.output_event
        # Whoever watches this run is asked, too; a step that waits in its middle asks by itself.
        if isinstance(asked, InputRequiredEvent) and checkpoint.last_completed_step is not None:
            handler.show(asked)
        return handler

    def _handler(
        self, ctx: Context | None, snapshot: Snapshot | None, head: Head, first: Received | None
    ) -> Handler:
        ctx = Context(self) if ctx is None else ctx
        ctx._check(self)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise WorkflowRuntimeError(
                "A run needs a running event loop: call it in a coroutine, as in "
                "`asyncio.run(main())`."
            ) from None
        return Handler(self, ctx, uuid7(), snapshot, head, first)

    def _start_event(self, fields: dict[str, Any]) -> Event:
        try:
            return self.graph.start(**fields)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()
            )
            raise WorkflowRuntimeError(
                f"{type(self).__name__} starts with a {self.graph.start.__name__}, and these "
                f"fields do not make one: {problems}."
            ) from error


def _steps(cls: type[Workflow]) -> dict[str, Step]:
    """The steps of the class and of those it inherits from, in the order of definition."""
    names = dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base))
    found = ((name, step_of(getattr(cls, name))) for name in names)
    return {name: config for name, config in found if config is not None}


def _snake_case(name: str) -> str:
    short = re.sub(r"(Workflow|Flow)$", "", name) or name
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", short).lower()
