"""Resources that need resources: these are made first, and what is wrong is known beforehand."""

import asyncio
import functools
import re
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from cairn.engine.language.resources.config import ResourceConfig
from cairn.engine.language.resources.errors import ResourceError
from cairn.engine.language.resources.manager import ResourceManager
from cairn.engine.language.resources.resource import Resource, problems, resource_of

BOUND = 5  # seconds


class Thing:
    """Told apart by identity only."""


class Needing:
    def __init__(self, *needs: Any) -> None:
        self.needs = needs


class Limits(BaseModel):
    tokens: int


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def manager() -> ResourceManager:
    return ResourceManager()


async def test_what_a_factory_needs_is_made_first(manager: ResourceManager) -> None:
    async def inner() -> str:
        return "inner"

    def middle(
        inner: Annotated[str, Resource(inner)], *rest: Any, number: int = 1, **more: Any
    ) -> str:
        return f"middle of {inner}"

    async def outer(middle: Annotated[str, Resource(middle)]) -> str:
        return f"outer of {middle}"

    assert await manager.get(Resource(outer)) == "outer of middle of inner"
    assert set(manager.get_all().values()) == {
        "inner",
        "middle of inner",
        "outer of middle of inner",
    }


async def test_what_two_need_is_made_once_even_if_it_is_not_cached(
    manager: ResourceManager,
) -> None:
    def left(thing: Annotated[Thing, Resource(Thing, cache=False)]) -> Needing:
        return Needing(thing)

    def right(thing: Annotated[Thing, Resource(Thing, cache=False)]) -> Needing:
        return Needing(thing)

    def top(
        left: Annotated[Needing, Resource(left, cache=False)],
        right: Annotated[Needing, Resource(right, cache=False)],
        thing: Annotated[Thing, Resource(Thing, cache=False)],
    ) -> Needing:
        return Needing(*left.needs, *right.needs, thing)

    one = await manager.get(Resource(top, cache=False))
    other = await manager.get(Resource(top, cache=False))
    assert len(set(one.needs)) == len(set(other.needs)) == 1
    assert one.needs != other.needs


async def test_what_is_set_is_given_to_factories_too(manager: ResourceManager) -> None:
    def outer(thing: Annotated[Thing, Resource(Thing)]) -> Needing:
        return Needing(thing)

    await manager.set("Thing", "stand-in")
    assert (await manager.get(Resource(outer))).needs == ("stand-in",)


def ping(other: "Annotated[Thing, Resource(pong)]") -> Thing:
    return Thing()


def pong(other: "Annotated[Thing, Resource(ping)]") -> Thing:
    return Thing()


def entry(first: Annotated[Thing, Resource(ping)]) -> Thing:
    return Thing()


async def test_factories_that_need_one_another_are_refused(manager: ResourceManager) -> None:
    with pytest.raises(ResourceError, match="ping -> pong -> ping"):
        await manager.get(Resource(entry))
    with pytest.raises(ResourceError, match="pong -> ping -> pong"):
        await manager.get(Resource(pong))


async def test_so_they_are_when_entered_at_two_places_at_once(manager: ResourceManager) -> None:
    asked = (manager.get(Resource(ping)), manager.get(Resource(pong)))
    async with asyncio.timeout(BOUND):
        failed = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(error) for error in failed] == [ResourceError] * 2


async def test_a_cycle_is_open_where_a_resource_is_set(manager: ResourceManager) -> None:
    await manager.set("pong", Thing())
    assert isinstance(await manager.get(Resource(entry)), Thing)
    assert problems(Resource(entry), manager) == []


async def test_a_parameter_that_nobody_can_fill_is_refused(manager: ResourceManager) -> None:
    def connect(host: str) -> Thing:
        return Thing()

    with pytest.raises(ResourceError, match=r"parameter 'host' of resource factory .*connect"):
        await manager.get(Resource(connect))


def text_inner() -> str:
    return "inner"


def text_outer(inner: "Annotated[str, Resource(text_inner)]") -> "OnlyForTypeCheckers":  # type: ignore[name-defined]  # noqa: F821
    return f"outer of {inner}"


async def test_text_is_read_in_the_module_of_the_factory(manager: ResourceManager) -> None:
    assert await manager.get(Resource(text_outer)) == "outer of inner"
    assert await manager.get(Resource(functools.partial(text_outer))) == "outer of inner"


async def test_it_is_read_in_the_closure_of_a_local_factory(manager: ResourceManager) -> None:
    def inner() -> str:
        return "local"

    def outer(found: "Annotated[str, Resource(inner)]") -> bool:
        return found == inner()

    assert await manager.get(Resource(outer)) is True


async def test_it_is_read_with_the_names_around_the_step(manager: ResourceManager) -> None:
    def text_inner() -> str:  # not that of the module
        return "local"

    def middle(found: "Annotated[str, Resource(text_inner)]") -> str:
        return f"middle of {found}"

    def outer(found: "Annotated[str, Resource(middle)]") -> str:
        return f"outer of {found}"

    resource = resource_of(Annotated[str, Resource(outer)], locals())
    assert resource is not None
    assert await manager.get(resource) == "outer of middle of local"


async def test_a_factory_of_a_module_does_not_see_the_names_around_the_step(
    manager: ResourceManager,
) -> None:
    def text_inner() -> str:
        return "local"

    resource = resource_of(Annotated[str, Resource(text_outer)], {"text_inner": text_inner})
    assert resource is not None
    assert await manager.get(resource) == "outer of inner"


async def test_text_that_makes_its_factory_stands_for_one_resource(
    manager: ResourceManager,
) -> None:
    def outer(needing: "Annotated[Needing, Resource(lambda: Needing(1))]") -> Needing:
        return needing

    first = await manager.get(Resource(outer, cache=False))
    assert await manager.get(Resource(outer, cache=False)) is first


async def test_text_that_cannot_be_read_is_refused_unless_it_does_not_matter(
    manager: ResourceManager,
) -> None:
    def needy(thing: "Missing") -> Thing:  # type: ignore[name-defined]  # noqa: F821
        return Thing()

    def content(thing: "Missing" = None) -> Thing:  # type: ignore[name-defined]  # noqa: F821
        return Thing()

    def misled(thing: "Annotated[Thing, Resource(missing)]" = None) -> Thing:  # type: ignore[assignment]  # noqa: F821
        return Thing()

    for factory in (needy, misled):
        with pytest.raises(ResourceError, match=r"parameter 'thing', .* is not defined"):
            await manager.get(Resource(factory))
    assert isinstance(await manager.get(Resource(content)), Thing)


def test_no_factory_is_called_to_find_problems(folder: Path) -> None:
    called: list[str] = []

    def inner() -> None:
        called.append("inner")

    def outer(
        inner: Annotated[None, Resource(inner)],
        limits: Annotated[Limits, ResourceConfig("limits.json")],
    ) -> None:
        called.append("outer")

    (folder / "limits.json").write_text('{"tokens": 3}')
    assert problems(Resource(outer)) == []
    assert called == []


def test_all_problems_are_found_with_where_they_are(folder: Path) -> None:
    def needy(host: str) -> Thing:
        return Thing()

    def middle(
        limits: Annotated[Limits, ResourceConfig("limits.json")],
        needy: Annotated[Thing, Resource(needy)],
        ping: Annotated[Thing, Resource(ping)],
    ) -> Thing:
        return Thing()

    def outer(
        middle: Annotated[Thing, Resource(middle)],
        again: Annotated[Thing, Resource(middle, cache=False)],
    ) -> Thing:
        return Thing()

    missing, unfilled, cyclic = problems(Resource(outer))
    way = r"outer, parameter 'middle': .*middle, parameter"
    assert re.search(rf"{way} 'limits': .*'limits.json' does not exist", missing)
    assert re.search(rf"{way} 'needy': .*'host' of resource factory .*needy", unfilled)
    assert "ping -> pong -> ping" in cyclic


async def test_what_is_set_is_no_problem(folder: Path, manager: ResourceManager) -> None:
    def tokens(limits: Annotated[Limits, ResourceConfig("limits.json")]) -> int:
        return limits.tokens

    assert len(problems(Resource(tokens), manager)) == 1
    await manager.set("limits.json", Limits(tokens=5))
    assert problems(Resource(tokens), manager) == []
    assert await manager.get(Resource(tokens)) == 5
