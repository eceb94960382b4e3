"""A first workflow: fetch a text, which takes a while, and count its words."""

import asyncio
from collections import Counter

from cairn import Event, StartEvent, StopEvent, Workflow, step

SHORTEST = 1  # letters of the shortest word counted: change to 4, and rerun from `fetch`


class Topic(StartEvent):
    """The topic of the text."""

    topic: str


class Text(Event):
    """The text fetched."""

    text: str


class WordsFlow(Workflow):
    """Counts the words of a text about a topic."""

    @step
    async def fetch(self, ev: Topic) -> Text:
        await asyncio.sleep(2)  # in place of slow or costly work: a model, a search
        return Text(text=f"A {ev.topic} is a {ev.topic} is a {ev.topic}, and nothing but that.")

    @step
    async def count(self, ev: Text) -> StopEvent:
        words = [word.strip(".,").lower() for word in ev.text.split()]
        return StopEvent(result=Counter(w for w in words if len(w) >= SHORTEST).most_common(3))
