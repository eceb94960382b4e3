"""ResourceManager: the resources of a workflow object, each made on first use."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from cairn.engine.language.resources.descriptor import ResourceDescriptor
from cairn.engine.language.resources.errors import ResourceError

Needs = Mapping[str, ResourceDescriptor]
"""The dependencies of a resource, by the names of its factory's parameters."""

Fresh = dict[Hashable, Any]
"""Resources that are not cached, by key, while the resources of one execution are made."""


class ResourceManager:
    """Makes resources and keeps the cached ones; every workflow object has a manager.

    A cached resource is made once, also if several steps ask at the same time: one makes the
    resource while the rest wait. If making fails, all of these steps get the error, and the next
    request tries again.

    Resources are not stored: after a crash, and in every further process, they are made anew.
    """

    def __init__(self) -> None:
        self._set: dict[str, Any] = {}
        self._made: dict[Hashable, tuple[ResourceDescriptor, Any]] = {}
        self._building: dict[Hashable, Future[None]] = {}
        # Holds the descriptors, too: a key is valid only as long as its descriptor exists.
        self._needs: dict[Hashable, tuple[ResourceDescriptor, Needs]] = {}

    async def get(self, resource: ResourceDescriptor) -> Any:
        """Return the resource; make the resource and its dependencies if necessary.

        Raises:
            ResourceError: resources depend on each other in a cycle, a parameter of a factory has
                no value, or a configuration file is missing or does not fit.
            Exception: raised by the factory, with a note that names the factory.
        """
        self._plan(resource)
        return await self._get(resource, {})

    async def all_for(self, resources: Mapping[str, ResourceDescriptor]) -> dict[str, Any]:
        """Return the resources for one execution of a step, by the names of its parameters.

            arguments |= await workflow.resources.all_for(step.signature.resources)

        Call this once for each attempt. A resource that is not cached is made once for each call,
        and shared by all resources of the call that depend on it.

        Raises:
            ResourceError: see `get`.
            Exception: see `get`.
        """
        for resource in resources.values():
            self._plan(resource)
        fresh: Fresh = {}
        return {name: await self._get(resource, fresh) for name, resource in resources.items()}

    def try_to_make(self, resource: ResourceDescriptor) -> list[str]:
        """Make the resource in a thread, as `get` does, and wait.

        Returns:
            The error as a list of one text, or an empty list.
        """
        try:
            with ThreadPoolExecutor(1) as pool:  # this thread may have a running event loop
                pool.submit(asyncio.run, self.get(resource)).result()
        except Exception as error:
            return [f"{type(error).__name__}: {error}"]
        return []

    async def set(self, name: str, value: Any) -> None:
        """Use the value in place of all resources with the name, cached or not.

            await manager.set("open_index", fake_index)

        Resources already made from another value stay as they are.

        Args:
            name: the `__qualname__` of a factory. Or the path of a configuration file as written,
                followed by a dot and the path selector, if any.
            value: the value to use.
        """
        self._set[name] = value

    def get_all(self) -> dict[str, Any]:
        """Return all resources made and kept, and all values set, by name.

        Of equal names, a value that was set comes first, then the resource made last.
        """
        return {resource.name: value for resource, value in self._made.values()} | self._set

    def holds(self, resource: ResourceDescriptor) -> bool:
        """Return whether `get` would return the resource without making anything."""
        return resource.name in self._set or (resource.cache and resource.key in self._made)

    def _plan(
        self, resource: ResourceDescriptor, path: tuple[ResourceDescriptor, ...] = ()
    ) -> None:
        """Find all dependencies before any resource is made.

        Two steps that enter a cycle at two places would otherwise wait for each other forever.
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
            # A future of concurrent.futures, since the event loops of two threads may run steps of
            # one workflow object.
            own: Future[None] = Future()
            own.set_running_or_notify_cancel()  # the cancellation of a waiter must not cancel it
            building = self._building.setdefault(key, own)
            if building is not own:
                # If the builder is cancelled, this returns and the resource is still missing: the
                # next round of the loop makes the resource.
                await asyncio.wrap_future(building)
                continue
            try:
                if key not in self._made:
                    self._made[key] = (resource, await self._build(resource, fresh))
            except Exception as error:
                own.set_exception(error)
                raise
            finally:
                del self._building[key]
                if not own.done():
                    own.set_result(None)
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
    """Return an error message if the resource depends on itself.

    Args:
        path: the resources that led to this one, each a dependency of the one before.
        resource: the resource that is needed next.
    """
    keys = [above.key for above in path]
    if resource.key not in keys:
        return None
    chain = [above.name for above in path[keys.index(resource.key) :]]
    return (
        f"These resources need one another to be made: {' -> '.join([*chain, resource.name])}. "
        "Let one of them do without the next."
    )
