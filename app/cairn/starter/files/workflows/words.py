"""A first workflow: it fetches a text, which takes its time, and counts the words in it."""

import asyncio
from collections import Counter

from cairn import Event, StartEvent, StopEvent, Workflow, step

SHORTEST = 1  # letters that a word must have to be counted: make it 4, and rerun from `fetch`


class Topic(StartEvent):
    """What the text is to be about."""

    topic: str


class Text(Event):
    """A text that was fetched."""

    text: str


class WordsFlow(Workflow):
    """Counts the words of a text about a topic."""

    @step
    async def fetch(self, ev: Topic) -> Text:
        await asyncio.sleep(2)  # stands for what is slow or costs money: a model, a search
        return Text(text=f"A {ev.topic} is a {ev.topic} is a {ev.topic}, and nothing but that.")

    @step
    async def count(self, ev: Text) -> StopEvent:
        words = [word.strip(".,").lower() for word in ev.text.split()]
        return StopEvent(result=Counter(w for w in words if len(w) >= SHORTEST).most_common(3))
