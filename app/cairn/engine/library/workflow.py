"""Workflow: steps, joined by events from a start event to a stop event."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, ClassVar
from uuid import UUID
from weakref import WeakKeyDictionary

from pydantic import ValidationError

from cairn.engine.core.facts import Fact, Received, Sent
from cairn.engine.core.records import Head
from cairn.engine.core.snapshot import Snapshot
from cairn.engine.errors import (
    WorkflowConfigurationError,
    WorkflowRuntimeError,
    WorkflowValidationError,
)
from cairn.engine.ids import new_id
from cairn.engine.language.checkpoint import WORKFLOWS, Checkpoint, qualified
from cairn.engine.language.context import Context
from cairn.engine.language.events import (
    Event,
    HumanResponseEvent,
    InputRequiredEvent,
    StartEvent,
    StopEvent,
)
from cairn.engine.language.graph import Graph, graph_of
from cairn.engine.language.markers import AnyWorkflow
from cairn.engine.language.resources.manager import ResourceManager
from cairn.engine.language.serializers import BaseSerializer, JsonSerializer
from cairn.engine.language.steps import Step, step_of
from cairn.engine.language.validation import ALL_CHECKS, no_way, problems, refused
from cairn.engine.library.definition import (
    check_options,
    resource_problems,
    service_name,
    steps_of,
)
from cairn.engine.library.handler import Handler
from cairn.engine.library.held_context import HeldContext, held
from cairn.engine.library.rerun import InFlight, When, beginning
from cairn.engine.library.state_patch import with_values


class Workflow(AnyWorkflow):
    """A class of steps, joined by the events that these take and return.

        class JokeFlow(Workflow):
            @step
            async def generate_joke(self, ev: StartEvent) -> JokeEvent: ...

            @step
            async def critique_joke(self, ev: JokeEvent) -> StopEvent: ...

        result = await JokeFlow().run(topic="pirates")

    An event starts each step that takes the event's type. When a step completes, all its results
    take effect together: the events that it has returned and sent, and its writes to the context.
    Each completed step leaves a checkpoint. The names are those of LlamaIndex Workflows, with
    checkpoints and reruns added.

    Attributes:
        name: the name in a service; by default the class's name in snake_case, without `Flow` or
            `Workflow` at the end.
        types: further pydantic models, dataclasses and enums that events and state may hold. Types
            named in annotations, and types that the module of the class defines or imports, are
            known already.
        max_steps: the most checkpoints of a run in a service; `None` takes the service's setting.
        max_pending: the most deliveries (an event on the way to a step) of a run that are pending
            at once, in a service; `None` takes the service's setting.
        max_seconds: the longest time from the begin of a run to its end in a service, in seconds,
            crashes included; `None` takes the service's setting.
        max_active: the most runs of the workflow that a process of a service carries forward at
            once; `None` leaves some of the process's slots to other workflows.
        timeout: as in `Workflow(timeout=)`, like the three below.
        verbose: true if the begin and the end of each step are printed.
        num_concurrent_runs: the most runs at once.
        serializer: writes values; `None` writes JSON.
        workflow_name: the name for programs; by default the class's full name.
    """

    name: ClassVar[str]
    types: ClassVar[Iterable[type]] = ()
    max_steps: ClassVar[int | None] = None
    max_pending: ClassVar[int | None] = None
    max_seconds: ClassVar[float | None] = None
    max_active: ClassVar[int | None] = None

    # Defaults, for a subclass with an `__init__` that does not call this one.
    timeout: float | None = None
    verbose: bool = False
    num_concurrent_runs: int | None = None
    serializer: JsonSerializer | None = None
    _skipped: frozenset[str] = frozenset()
    _graph: ClassVar[Graph | None] = None
    _own_graph: Graph | None = None
    _recent: Context[Any] | None = None  # of the run started last: for drawings
    _resources: ResourceManager | None = None
    _workflows: Mapping[str, Workflow] = {}

    def __init__(
        self,
        timeout: float | None = None,
        disable_validation: bool = False,
        verbose: bool = False,
        resource_manager: ResourceManager | None = None,
        num_concurrent_runs: int | None = None,
        workflow_name: str | None = None,
        skip_graph_checks: Collection[str] = (),
        serializer: JsonSerializer | None = None,
    ) -> None:
        """Make a workflow; one object serves any number of runs.

        Args:
            timeout: the longest time of a run, in seconds; `None` is without end. A service counts
                anew when a process takes the run up again, after a crash or a wait.
            disable_validation: whether to skip all checks of steps and events.
            verbose: whether to print the begin and the end of each step.
            resource_manager: keeps the resources that factories have made for the steps; by
                default, a manager of this object alone.
            num_concurrent_runs: the most runs of this object that `run` and `run_from` carry
                forward at once; further runs wait. `None` is without limit.
            workflow_name: the name for programs; by default the class's full name.
            skip_graph_checks: the checks that `validate` leaves out: "reachability",
                "terminal_event" (an event that no step takes) or "dead_end".
            serializer: writes values; by default as JSON. A `PickleSerializer` writes any object,
                and is refused in a service.

        Raises:
            WorkflowConfigurationError: `timeout` is not more than 0.
            WorkflowValidationError: a different argument is out of range; or no run could begin,
                or end. The message lists all problems of steps and events then.
        """
        check_options(timeout, num_concurrent_runs, skip_graph_checks)
        self.timeout = timeout
        self.verbose = verbose
        self.num_concurrent_runs = num_concurrent_runs
        self.serializer = serializer
        self.workflow_name = workflow_name or qualified(type(self))
        self._resources = resource_manager
        self._skipped = frozenset(ALL_CHECKS if disable_validation else skip_graph_checks)
        steps = steps_of(type(self))
        if not disable_validation and any(no_way(steps)):
            raise refused(type(self).__name__, problems(steps, self._skipped))
        self._limits: WeakKeyDictionary[Any, asyncio.Semaphore] = WeakKeyDictionary()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = service_name(cls.__name__)
        WORKFLOWS[qualified(cls)] = cls

    # Steps and events

    @classmethod
    def graph_of_class(cls) -> Graph:
        """Return the steps and events, put together once for the class.

        Raises:
            WorkflowValidationError: steps and events do not fit together; the message lists all
                problems.
        """
        graph = cls.__dict__.get("_graph")
        if graph is None:
            graph = graph_of(cls.__name__, cls.__module__, steps_of(cls), cls.types)
            cls._graph = graph
        assert isinstance(graph, Graph)
        return graph

    @classmethod
    def add_step(cls, function: Callable[..., Any]) -> None:
        """Add a function, marked with `step`, to all workflows of this class.

            @step(workflow=JokeFlow)
            async def critique_joke(ev: JokeEvent) -> StopEvent: ...

        Args:
            function: the function, which takes no `self`. `step(workflow=)` calls this method.

        Raises:
            WorkflowValidationError: the function is not marked with `step`, or the class has a step
                of that name.
        """
        config = step_of(function)
        if config is None:
            raise WorkflowValidationError(f"{function!r} is no step: mark it with @step.")
        if config.name in steps_of(cls):
            raise WorkflowValidationError(
                f"{cls.__name__} has a step {config.name!r} already: choose another name."
            )
        setattr(cls, config.name, staticmethod(function))
        _forget_graphs(cls)

    @property
    def graph(self) -> Graph:
        """The steps, the events between them, and the way of each event.

        Raises:
            WorkflowValidationError: steps and events do not fit together; the message lists all
                problems.
        """
        if not self._skipped and self.serializer is None:
            return self.graph_of_class()
        if self._own_graph is None or self._own_graph.steps != steps_of(type(self)):
            cls = type(self)
            bind = (self.serializer or JsonSerializer()).bind
            self._own_graph = graph_of(
                cls.__name__, cls.__module__, steps_of(cls), cls.types, self._skipped, bind
            )
        return self._own_graph

    @property
    def description(self) -> str:
        """The docstring of the class, without indentation; empty if there is none."""
        return inspect.cleandoc(type(self).__doc__ or "")

    @property
    def start_event_class(self) -> type[StartEvent]:
        """The type of the event that a run begins with."""
        return self.graph.start

    @property
    def stop_event_class(self) -> type[StopEvent]:
        """The type of the event that ends a run; of several, the first that a step returns."""
        return self.graph.stops[0]

    @property
    def events(self) -> list[type[Event]]:
        """The types of the events that steps take and give, each once."""
        graph = self.graph
        return list(dict.fromkeys(e for s in graph.steps.values() for e in (*s.takes, *s.gives)))

    def validate(
        self, *, validate_resource_configs: bool = True, validate_resources: bool = False
    ) -> bool:
        """Check that steps, events and resources fit together.

        The first run checks steps and events, too.

        Args:
            validate_resource_configs: whether to read the files of `ResourceConfig`s, and to check
                the parameters of factories; no factory is called.
            validate_resources: whether to call the factories, too.

        Returns:
            True if a person takes part: a step takes or gives an `InputRequiredEvent` or a
            `HumanResponseEvent`.

        Raises:
            WorkflowValidationError: the workflow cannot run; the message lists all problems.
        """
        wrong = list(
            resource_problems(
                self.graph.steps, self.resources, validate_resource_configs, validate_resources
            )
        )
        if wrong:
            raise refused(type(self).__name__, wrong)
        people = (InputRequiredEvent, HumanResponseEvent)
        return any(issubclass(event, people) for event in self.events)

    # Arguments of steps

    @property
    def resources(self) -> ResourceManager:
        """The manager of the resources that factories have made for the steps."""
        if self._resources is None:
            self._resources = ResourceManager()
        return self._resources

    def add_workflows(self, **workflows: Workflow) -> None:
        """Give other workflows to the steps.

            workflow.add_workflows(critic=CriticFlow())

        A step receives a workflow by a parameter of the same name, annotated with the workflow's
        class: `async def critique(self, ev: JokeEvent, critic: CriticFlow) -> StopEvent`.

        Args:
            workflows: the workflows, by the names of parameters. A later call replaces those of
                the same names.
        """
        self._workflows = {**self._workflows, **workflows}

    def context_behind(
        self, previous: Mapping[str, Any] | None, serializer: BaseSerializer | None
    ) -> HeldContext:
        """Return the implementation of a new context of this workflow; see `Context`.

        Raises:
            ContextSerdeError: `previous` was not made by `to_dict` with this serializer.
        """
        return HeldContext(self, previous, serializer)

    def function(self, step: Step) -> Callable[..., Any]:
        """Return the function that executes the step."""
        function: Callable[..., Any] = getattr(self, step.name)
        return function

    async def provide(self, step: Step) -> dict[str, Any]:
        """Return the resources and the workflows for a step, by the names of its parameters.

        Raises:
            WorkflowValidationError: a workflow without a default has not been added.
            ResourceError: a resource cannot be made.
            Exception: the exception of a resource's factory.
        """
        provided = await self.resources.all_for(step.signature.resources)
        for name, parameter in step.signature.workflows.items():
            if name in self._workflows:
                provided[name] = self._workflows[name]
            elif parameter.default is inspect.Parameter.empty:
                raise WorkflowValidationError(
                    f"Step {step.name!r} needs a workflow {name!r}: add it, "
                    f"workflow.add_workflows({name}=...)."
                )
        return provided

    # Runs

    def run(
        self,
        ctx: Context[Any] | None = None,
        start_event: StartEvent | None = None,
        *,
        stepwise: bool = False,
        **fields: Any,
    ) -> Handler:
        """Start a run, with a start event or with the fields of one.

            result = await workflow.run(topic="pirates")
            result = await workflow.run(start_event=JokeRequest(topic="pirates"))

        A context takes one run at a time: a second run waits for the first. A context that
        `Context.from_dict` has read, written in the middle of a run, goes on with that run, once;
        the start event has no effect then.

        Args:
            ctx: the context of the run; a new one by default.
            start_event: the start event, instead of fields.
            stepwise: whether no step starts before `handler.run_step()` is called.
            fields: the fields of the start event.

        Returns:
            The handler of the run, which has not begun: steps start in later turns of the event
            loop.

        Raises:
            WorkflowValidationError: steps and events do not fit together.
            WorkflowRuntimeError: the fields do not make a start event, or no event loop runs.
            WorkflowConfigurationError: the context was made for a different workflow.
            ContextStateError: the context is that of a step.
            SerializationError: a field cannot be stored; the message names the field.
        """
        ctx = Context(self) if ctx is None else ctx
        runs = held(ctx).runs
        if runs.unfinished is not None:
            handler = self._handler(ctx, runs.unfinished, Head(), [], stepwise)
            runs.unfinished = None
            return handler
        event = start_event if start_event is not None else self._start_event(fields)
        if start_event is not None and (fields or not isinstance(start_event, self.graph.start)):
            raise WorkflowRuntimeError(
                f"Start with a {self.graph.start.__name__}, or with its fields; not with a "
                f"{type(start_event).__name__}{' and fields besides' if fields else ''}."
            )
        received = Received(Sent(self.graph.serializer.seal(event)))
        return self._handler(ctx, None, Head(), [received], stepwise)

    def run_from(
        self,
        checkpoint: Checkpoint,
        ctx: Context[Any] | None = None,
        *,
        in_flight: InFlight = "rerun",
        output_event: Event | None = None,
        state: Mapping[str, Any] | None = None,
        when: When = "after",
        input_event: Event | None = None,
        stepwise: bool = False,
    ) -> Handler:
        """Start a run at a checkpoint, with the deliveries that were pending there.

            handler = workflow.run_from(ctx.checkpoints[1], output_event=JokeEvent(joke="..."))

        The run begins with the checkpoint's state, not with the present state of the context. The
        original run and its checkpoints stay as they are.

        Args:
            checkpoint: the checkpoint.
            ctx: the context of the run; a new one by default.
            in_flight: the treatment of steps that were under way, or queued, while the checkpoint's
                own step completed. "rerun" executes these steps again. "adopt" takes the results
                from the original run, and executes the steps without a result; the checkpoint must
                come from `ctx.checkpoints`, not from JSON. "drop" leaves the steps out; the run
                waits for an event if nothing else is pending.
            output_event: replaces the event that the checkpoint's step gave: with different data,
                or of a different type that the step's annotation names.
            state: replaces values of the checkpoint's state, by key.
            when: "after" goes on from the result of the checkpoint's step. "before" executes the
                step again, with the state that it had found; the checkpoint must come from
                `ctx.checkpoints`, not from JSON.
            input_event: with `when="before"`, replaces the event that the step took.
            stepwise: whether no step starts before `handler.run_step()` is called.

        Raises:
            WorkflowValidationError: steps and events do not fit together.
            WorkflowRuntimeError: nothing is left to run from there, a change does not fit, or no
                event loop runs.
            WorkflowConfigurationError: the checkpoint or the context is of a different workflow.
            ContextStateError: the context is that of a step.
            SerializationError: a change cannot be stored.
        """
        if checkpoint.workflow != qualified(type(self)):
            raise WorkflowConfigurationError(
                f"This checkpoint is one of {checkpoint.workflow}, not of {type(self).__name__}."
            )
        begins = beginning(self.graph, checkpoint, in_flight, output_event, when, input_event)
        snapshot = (
            begins.snapshot if state is None else with_values(self.graph, begins.snapshot, state)
        )
        ctx = Context(self) if ctx is None else ctx
        head = Head(UUID(checkpoint.id_) if when == "after" else checkpoint.parent)
        handler = self._handler(ctx, snapshot, head, list(begins.facts), stepwise)
        # Watchers of the new run see the question, too. A step that waits shows its own once more.
        question = None if when == "before" else output_event or checkpoint.output_event
        if isinstance(question, InputRequiredEvent) and checkpoint.last_completed_step is not None:
            handler.show(question)
        return handler

    def is_done(self) -> bool:
        """True if no run is under way in the context of the run started last.

        See `Handler.is_done` for one run.
        """
        return self._recent is None or not self._recent.is_running

    def stream_events(self) -> AsyncIterator[Event]:
        """Iterate over the events of the run started last; see `Handler.stream_events`.

        Raises:
            ContextStateError: no run has been started.
        """
        return (self._recent or Context(self)).stream_events()

    def _handler(
        self,
        ctx: Context[Any],
        snapshot: Snapshot | None,
        head: Head,
        facts: list[Fact],
        stepwise: bool,
    ) -> Handler:
        behind = held(ctx)
        behind.check(self)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise WorkflowRuntimeError(
                "A run needs a running event loop: call it in a coroutine, as in "
                "`asyncio.run(main())`."
            ) from None
        self._recent = ctx
        return Handler(self, ctx, behind.runs, new_id(), snapshot, head, facts, stepwise)

    def _start_event(self, fields: dict[str, Any]) -> Event:
        try:
            return self.graph.start(**fields)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise WorkflowRuntimeError(
                f"{type(self).__name__} starts with a {self.graph.start.__name__}, and these "
                f"fields do not make one: {wrong}."
            ) from error

    def place(self) -> AbstractAsyncContextManager[object]:
        """Return the bound on runs at once, one for each event loop."""
        if self.num_concurrent_runs is None:
            return nullcontext()
        loop = asyncio.get_running_loop()
        return self._limits.setdefault(loop, asyncio.Semaphore(self.num_concurrent_runs))


def _forget_graphs(cls: type[Workflow]) -> None:
    """Drop the graphs of the class and of its subclasses, since a step was added."""
    cls._graph = None
    for derived in cls.__subclasses__():
        _forget_graphs(derived)
