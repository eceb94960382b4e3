"""What a workflow object has of resources: each made when it is first needed, and only once."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from cairn.engine.language.resources.descriptor import ResourceDescriptor
from cairn.engine.language.resources.errors import ResourceError

Needs = Mapping[str, ResourceDescriptor]  # by the names of a factory's parameters

Fresh = dict[Hashable, Any]  # what is not cached, for as long as one step's resources are made


class ResourceManager:
    """Makes resources and keeps those that are cached; every workflow object has one.

    A cached resource is made once, also when several steps ask for it at the same time: one of
    them makes it and the others wait. If that fails, those who wait fail with it, and the next
    who asks tries again.

    Nothing of it is stored. After a crash, and in every other process, resources are made anew.
    """

    def __init__(self) -> None:
        self._set: dict[str, Any] = {}
        self._made: dict[Hashable, tuple[ResourceDescriptor, Any]] = {}
        self._building: dict[Hashable, Future[None]] = {}
        # With the descriptors themselves: a key is good only as long as its descriptor exists.
        self._needs: dict[Hashable, tuple[ResourceDescriptor, Needs]] = {}

    async def get(self, resource: ResourceDescriptor) -> Any:
        """The resource; made, together with all that it needs, unless it is here already.

        Raises:
            ResourceError: it cannot be made: resources need one another, a parameter of a
                factory has no value, or a configuration file is missing or does not fit.
            Exception: whatever the factory raises, with a note that names the factory.
        """
        self._plan(resource)
        return await self._get(resource, {})

    async def all_for(self, resources: Mapping[str, ResourceDescriptor]) -> dict[str, Any]:
        """The resources for one execution of a step, by the names of its parameters.

            arguments |= await workflow.resources.all_for(step.resources)

        Call it once for each execution, and so for each attempt: what is not cached is made once
        for each call, and shared by all that need it in this call.

        Raises:
            ResourceError: as `get`.
            Exception: as `get`.
        """
        for resource in resources.values():
            self._plan(resource)
        fresh: Fresh = {}
        return {name: await self._get(resource, fresh) for name, resource in resources.items()}

    def try_to_make(self, resource: ResourceDescriptor) -> list[str]:
        """Make the resource, as `get` does, now: what is wrong with it, if it cannot be made."""
        try:
            with ThreadPoolExecutor(1) as aside:  # this thread may have an event loop that runs
                aside.submit(asyncio.run, self.get(resource)).result()
        except Exception as error:
            return [f"{type(error).__name__}: {error}"]
        return []

    async def set(self, name: str, value: Any) -> None:
        """Put the value in the place of all resources of that name, cached or not.

        What has been made with another value before is not made again.

        Args:
            name: for a factory its `__qualname__`; for a configuration the path of its file as
                it was written, followed by a dot and the path selector if there is one.
        """
        self._set[name] = value

    def get_all(self) -> dict[str, Any]:
        """All that has been made and kept, or set, by name; of equal names what was set or last."""
        return {resource.name: value for resource, value in self._made.values()} | self._set

    def holds(self, resource: ResourceDescriptor) -> bool:
        """Whether the resource is here already, so that nothing needs to be made for it."""
        return resource.name in self._set or (resource.cache and resource.key in self._made)

    def _plan(
        self, resource: ResourceDescriptor, path: tuple[ResourceDescriptor, ...] = ()
    ) -> None:
        """Find out what is needed before anything is made.

        Two steps that enter a cycle at two places would otherwise wait for each other for ever.
        """
        if self.holds(resource) or resource.key in self._needs:
            return
        if (message := cycle(path, resource)) is not None:
            raise ResourceError(message)
        needs = resource.dependencies()
        for need in needs.values():
            self._plan(need, (*path, resource))
        self._needs[resource.key] = (resource, needs)

    async def _get(self, resource: ResourceDescriptor, fresh: Fresh) -> Any:
        if resource.name in self._set:
            return self._set[resource.name]
        if resource.cache:
            return await self._get_cached(resource, fresh)
        if resource.key not in fresh:
            fresh[resource.key] = await self._build(resource, fresh)
        return fresh[resource.key]

    async def _get_cached(self, resource: ResourceDescriptor, fresh: Fresh) -> Any:
        key = resource.key
        while key not in self._made:
            # Not a future of asyncio's: the loops of two threads may run the same workflow.
            mine: Future[None] = Future()
            mine.set_running_or_notify_cancel()  # whoever waits and is cancelled leaves it alone
            building = self._building.setdefault(key, mine)
            if building is not mine:
                # When whoever made it was cancelled, nothing is raised here and it is still not
                # made: the next round makes it.
                await asyncio.wrap_future(building)
                continue
            try:
                if key not in self._made:
                    self._made[key] = (resource, await self._build(resource, fresh))
            except Exception as error:
                mine.set_exception(error)
                raise
            finally:
                del self._building[key]
                if not mine.done():
                    mine.set_result(None)
        return self._made[key][1]

    async def _build(self, resource: ResourceDescriptor, fresh: Fresh) -> Any:
        _, needs = self._needs[resource.key]
        arguments = {name: await self._get(need, fresh) for name, need in needs.items()}
        try:
            return await resource.build(arguments)
        except Exception as error:
            error.add_note(f"It was raised while resource {resource.name} was made.")
            raise


def cycle(path: Sequence[ResourceDescriptor], resource: ResourceDescriptor) -> str | None:
    """What is wrong if the resource is needed to make itself, `path` being what needs it."""
    keys = [above.key for above in path]
    if resource.key not in keys:
        return None
    chain = [above.name for above in path[keys.index(resource.key) :]]
    return (
        f"These resources need one another to be made: {' -> '.join([*chain, resource.name])}. "
        "Let one of them do without the next."
    )
