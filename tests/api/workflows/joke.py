"""The notebook's JokeFlow, with jokes from a script."""

from cairn import Event, StartEvent, StopEvent, Workflow, step
from tests.api import gates


class JokeEvent(Event):
    joke: str


class JokeFlow(Workflow):
    """Writes a joke about a topic, then criticises it."""

    @step
    async def generate_joke(self, ev: StartEvent) -> JokeEvent:
        gates.executed.append("generate_joke")
        return JokeEvent(joke=f"a joke about {ev.topic}")

    @step
    async def critique_joke(self, ev: JokeEvent) -> StopEvent:
        gates.executed.append("critique_joke")
        return StopEvent(result=f"a critique of {ev.joke}")
