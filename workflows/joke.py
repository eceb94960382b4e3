"""The notebook's JokeFlow: a language model writes a joke, then a critique."""

from cairn import Event, StartEvent, StopEvent, Workflow, step
from cairn.llm import complete


class JokeEvent(Event):
    """A joke."""

    joke: str


class JokeFlow(Workflow):
    """Writes a joke about a topic, then criticises it."""

    @step
    async def generate_joke(self, ev: StartEvent) -> JokeEvent:
        joke = await complete(
            f"Tell a joke about {ev.topic}.",
            system="You are a comedian. Answer with one short joke.",
            max_tokens=50,
        )
        return JokeEvent(joke=joke)

    @step
    async def critique_joke(self, ev: JokeEvent) -> StopEvent:
        critique = await complete(
            f"In two sentences, explain what is good and what is bad about this joke:\n\n{ev.joke}",
            max_tokens=80,
            temperature=0.6,
        )
        return StopEvent(result=critique)
