"""Resources: made by factories, once or anew, whoever asks."""

import asyncio
import functools
import threading
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from cairn.engine.language.resources.descriptor import ResourceDescriptor
from cairn.engine.language.resources.errors import ResourceError
from cairn.engine.language.resources.manager import ResourceManager
from cairn.engine.language.resources.resource import Resource, resource_of

BOUND = 5  # seconds


class Thing:
    """Told apart by identity only."""


class Needing:
    def __init__(self, *needs: Any) -> None:
        self.needs = needs


def asked_for(function: Callable[..., Any]) -> dict[str, ResourceDescriptor]:
    """The resources of a signature, as a step reads it."""
    hints = typing.get_type_hints(function, include_extras=True)
    found = {name: resource_of(hint) for name, hint in hints.items()}
    return {name: resource for name, resource in found.items() if resource is not None}


@pytest.fixture
def manager() -> ResourceManager:
    return ResourceManager()


def test_a_hint_declares_a_resource_only_if_it_is_annotated_with_one() -> None:
    resource = Resource(Thing)
    assert resource_of(Annotated[Thing, resource]) is resource
    assert resource_of(Annotated[Thing, "something else", resource]) is resource
    assert resource_of(Thing) is None
    assert resource_of(Annotated[Thing, "something else"]) is None
    assert resource_of(Annotated[Thing, Resource]) is None  # the class, not called
    assert resource_of(None) is None


def test_what_cannot_be_called_is_no_factory() -> None:
    with pytest.raises(ResourceError, match="'thing' is a str and cannot be called"):
        Resource("thing")  # type: ignore[arg-type]


async def test_factories_are_functions_and_coroutine_functions(manager: ResourceManager) -> None:
    def plain() -> str:
        return "plain"

    async def slow() -> str:
        await asyncio.sleep(0)
        return "slow"

    def handed_on() -> Any:
        return slow()

    assert await manager.get(Resource(plain)) == "plain"
    assert await manager.get(Resource(slow)) == "slow"
    assert await manager.get(Resource(handed_on)) == "slow"


async def test_factories_are_whatever_can_be_called(manager: ResourceManager) -> None:
    def doubled(number: int, by: int = 2) -> int:
        return number * by

    class Factory:
        async def __call__(self) -> str:
            return "called"

    assert isinstance(await manager.get(Resource(Thing)), Thing)
    assert await manager.get(Resource(functools.partial(doubled, 4))) == 8
    assert await manager.get(Resource(functools.partial(doubled, number=4))) == 8
    assert await manager.get(Resource(Factory())) == "called"
    assert await manager.get(Resource(dict)) == {}


async def test_a_resource_that_could_be_awaited_is_left_alone(manager: ResourceManager) -> None:
    future = asyncio.get_running_loop().create_future()
    assert await manager.get(Resource(lambda: future)) is future


async def test_a_sync_factory_is_called_on_the_event_loop(manager: ResourceManager) -> None:
    assert await manager.get(Resource(asyncio.get_running_loop)) is asyncio.get_running_loop()
    assert await manager.get(Resource(threading.current_thread)) is threading.current_thread()


async def test_what_a_factory_raises_comes_out_with_a_note(manager: ResourceManager) -> None:
    def connect() -> Thing:
        raise ConnectionRefusedError("nobody there")

    with pytest.raises(ConnectionRefusedError, match="nobody there") as raised:
        await manager.get(Resource(connect))
    (note,) = raised.value.__notes__
    assert "connect" in note


async def test_a_cached_resource_is_made_once_for_each_manager() -> None:
    one, other = ResourceManager(), ResourceManager()
    thing = await one.get(Resource(Thing))
    assert await one.get(Resource(Thing)) is thing
    assert await other.get(Resource(Thing)) is not thing


async def test_a_resource_may_be_nothing(manager: ResourceManager) -> None:
    made: list[None] = []
    resource = Resource(lambda: made.append(None))
    assert await manager.get(resource) is None
    assert await manager.get(resource) is None
    assert len(made) == 1


async def test_factories_of_the_same_name_make_different_resources(
    manager: ResourceManager,
) -> None:
    def factory_of(value: int) -> Callable[[], int]:
        return lambda: value

    assert await manager.get(Resource(factory_of(1))) == 1
    assert await manager.get(Resource(factory_of(2))) == 2


async def test_factories_that_are_equal_make_different_resources(manager: ResourceManager) -> None:
    @dataclass
    class Factory:
        number: int

        def __call__(self) -> Thing:
            return Thing()

    one, other = Factory(1), Factory(1)
    assert await manager.get(Resource(one)) is not await manager.get(Resource(other))
    assert await manager.get(Resource(one)) is await manager.get(Resource(one))


async def test_a_method_is_the_same_factory_at_each_access(manager: ResourceManager) -> None:
    class Makers:
        def thing(self) -> Thing:
            return Thing()

    one, other = Makers(), Makers()
    assert await manager.get(Resource(one.thing)) is await manager.get(Resource(one.thing))
    assert await manager.get(Resource(one.thing)) is not await manager.get(Resource(other.thing))


async def test_what_is_set_by_name_is_given_instead(manager: ResourceManager) -> None:
    def own() -> str:
        return "own"

    name = Resource(own).name
    assert name == own.__qualname__
    await manager.get(Resource(own))
    await manager.set(name, "set")
    assert await manager.get(Resource(own)) == "set"
    assert await manager.get(Resource(own, cache=False)) == "set"
    assert manager.get_all() == {name: "set"}


async def test_a_manager_shows_what_it_has(manager: ResourceManager) -> None:
    thing = await manager.get(Resource(Thing))
    await manager.get(Resource(Needing, cache=False))
    await manager.set("answer", 42)
    assert manager.get_all() == {"Thing": thing, "answer": 42}
    assert manager.holds(Resource(Thing))
    assert not manager.holds(Resource(Thing, cache=False))


async def test_what_is_not_cached_is_made_anew_for_each_execution(
    manager: ResourceManager,
) -> None:
    def step(
        one: Annotated[Thing, Resource(Thing, cache=False)],
        same: Annotated[Thing, Resource(Thing, cache=False)],
        cached: Annotated[Thing, Resource(Thing)],
    ) -> None: ...

    first = await manager.all_for(asked_for(step))
    second = await manager.all_for(asked_for(step))
    assert first["one"] is first["same"]
    assert first["one"] is not first["cached"]
    assert first["one"] is not second["one"]
    assert first["cached"] is second["cached"]


async def test_two_who_ask_at_the_same_time_get_one_resource(manager: ResourceManager) -> None:
    begun = 0

    async def slow() -> Thing:
        nonlocal begun
        begun += 1
        await asyncio.sleep(0.01)
        return Thing()

    things = await asyncio.gather(*(manager.get(Resource(slow)) for _ in range(10)))
    assert len(set(things)) == begun == 1


async def test_so_do_two_whose_resources_need_it(manager: ResourceManager) -> None:
    begun = 0

    async def slow() -> Thing:
        nonlocal begun
        begun += 1
        await asyncio.sleep(0.01)
        return Thing()

    def left(thing: Annotated[Thing, Resource(slow)]) -> Needing:
        return Needing(thing)

    def right(thing: Annotated[Thing, Resource(slow)]) -> Needing:
        return Needing(thing)

    one, other = await asyncio.gather(manager.get(Resource(left)), manager.get(Resource(right)))
    assert one.needs == other.needs
    assert begun == 1


async def test_those_who_wait_fail_with_whoever_makes_it_and_the_next_tries_again(
    manager: ResourceManager,
) -> None:
    begun = 0

    async def flaky() -> Thing:
        nonlocal begun
        begun += 1
        await asyncio.sleep(0)
        if begun == 1:
            raise ConnectionError("not yet")
        return Thing()

    asked = (manager.get(Resource(flaky)) for _ in range(3))
    failed = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(error) for error in failed] == [ConnectionError] * 3
    assert begun == 1
    assert isinstance(await manager.get(Resource(flaky)), Thing)


async def test_who_waits_goes_on_when_whoever_makes_it_is_cancelled(
    manager: ResourceManager,
) -> None:
    begun = 0
    go_on = asyncio.Event()

    async def slow() -> Thing:
        nonlocal begun
        begun += 1
        await go_on.wait()
        return Thing()

    first = asyncio.create_task(manager.get(Resource(slow)))
    others = [asyncio.create_task(manager.get(Resource(slow))) for _ in range(3)]
    await asyncio.sleep(0)
    others[0].cancel()  # one who waits leaves the making alone
    await asyncio.sleep(0)
    first.cancel()
    go_on.set()
    async with asyncio.timeout(BOUND):
        one, other = await asyncio.gather(*others[1:])
    assert one is other
    assert first.cancelled()
    assert begun == 2


async def test_the_loops_of_two_threads_share_resources(manager: ResourceManager) -> None:
    begun = 0
    entered = threading.Event()
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def slow() -> Thing:
        nonlocal begun
        begun += 1
        go_on = asyncio.Event()
        loops.append((asyncio.get_running_loop(), go_on))
        entered.set()
        await go_on.wait()
        return Thing()

    there = asyncio.create_task(asyncio.to_thread(asyncio.run, manager.get(Resource(slow))))
    async with asyncio.timeout(BOUND):
        await asyncio.to_thread(entered.wait, BOUND)
        here = asyncio.create_task(manager.get(Resource(slow)))
        await asyncio.sleep(0)
        ((loop, go_on),) = loops
        loop.call_soon_threadsafe(go_on.set)
        assert await here is await there
    assert begun == 1
