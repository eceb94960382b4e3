"""Configurations: read from JSON files, as the models that steps and factories ask for."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict

from cairn import WorkflowConfigurationError
from cairn.engine.language.resources.config import ResourceConfig
from cairn.engine.language.resources.descriptor import ResourceDescriptor
from cairn.engine.language.resources.errors import ResourceError, ResourceFileNotFoundError
from cairn.engine.language.resources.manager import ResourceManager
from cairn.engine.language.resources.resource import Resource, problems, resource_of


class Limits(BaseModel):
    tokens: int
    models: list[str] = []


class Day(BaseModel):
    model_config = ConfigDict(strict=True)
    day: date


def config(path: str, selector: str | None = None, model: type = Limits) -> ResourceDescriptor:
    found = resource_of(Annotated[model, ResourceConfig(path, selector)])
    assert found is not None
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def manager() -> ResourceManager:
    return ResourceManager()


def test_a_configuration_is_bound_to_the_type_it_annotates() -> None:
    declared = ResourceConfig("x.json", "a.b", label="Limits", description="How much.")
    bound = resource_of(Annotated[Limits, declared])
    assert isinstance(bound, ResourceConfig)
    assert (bound.model, bound.name, bound.label) == (Limits, "x.json.a.b", "Limits")
    assert declared.model is None  # it may annotate another type elsewhere


def test_a_configuration_annotates_pydantic_models_only() -> None:
    with pytest.raises(ResourceError, match="must be annotated with a pydantic model"):
        resource_of(Annotated[dict[str, int], ResourceConfig("x.json")])


async def test_a_configuration_is_read_as_the_model(folder: Path, manager: ResourceManager) -> None:
    limits = {"tokens": 7, "models": ["é"]}
    (folder / "whole.json").write_text(json.dumps(limits, ensure_ascii=False), encoding="utf-8-sig")
    (folder / "part.json").write_text(json.dumps({"a": {"b": limits}}))
    (folder / "day.json").write_text('{"day": "2026-02-03"}')
    expected = Limits(tokens=7, models=["é"])
    assert await manager.get(config("whole.json")) == expected
    assert await manager.get(config(str(folder / "whole.json"))) == expected
    assert await manager.get(config("part.json", "a.b")) == expected
    assert await manager.get(config("day.json", model=Day)) == Day(day=date(2026, 2, 3))
    path = Annotated[Limits, ResourceConfig(folder / "whole.json")]
    found = resource_of(path)
    assert found is not None
    assert await manager.get(found) == expected


async def test_a_configuration_is_read_when_first_needed_and_then_once(
    folder: Path, manager: ResourceManager
) -> None:
    limits = config("limits.json")  # not there yet
    (folder / "limits.json").write_text('{"tokens": 1}')
    assert await manager.get(limits) == Limits(tokens=1)
    (folder / "limits.json").write_text('{"tokens": 2}')
    assert await manager.get(limits) == Limits(tokens=1)
    assert await ResourceManager().get(limits) == Limits(tokens=2)
    assert manager.get_all() == {"limits.json": Limits(tokens=1)}


async def test_one_file_can_be_read_as_two_models(folder: Path, manager: ResourceManager) -> None:
    (folder / "both.json").write_text('{"tokens": 1, "day": "2026-02-03"}')
    assert await manager.get(config("both.json")) == Limits(tokens=1)
    assert await manager.get(config("both.json", model=Day)) == Day(day=date(2026, 2, 3))


async def test_a_factory_takes_a_configuration(folder: Path, manager: ResourceManager) -> None:
    def tokens(limits: Annotated[Limits, ResourceConfig("limits.json")]) -> int:
        return limits.tokens

    (folder / "limits.json").write_text('{"tokens": 3}')
    assert await manager.get(Resource(tokens)) == 3


async def test_a_configuration_can_be_set_by_its_path_and_keys(manager: ResourceManager) -> None:
    await manager.set("limits.json.a.b", Limits(tokens=9))
    assert await manager.get(config("limits.json", "a.b")) == Limits(tokens=9)


def test_only_json_is_read() -> None:
    with pytest.raises(ResourceError, match=r"'limits.yaml' does not end in \.json"):
        ResourceConfig("limits.yaml")


async def test_a_file_that_is_missing_is_named(folder: Path, manager: ResourceManager) -> None:
    with pytest.raises(ResourceFileNotFoundError, match=r"limits\.json") as raised:
        await manager.get(config("limits.json"))
    assert isinstance(raised.value, FileNotFoundError)
    assert isinstance(raised.value, WorkflowConfigurationError)
    assert str(folder / "limits.json") in str(raised.value)
    (folder / "limits.json").write_text('{"tokens": 3}')
    assert await manager.get(config("limits.json")) == Limits(tokens=3)


async def test_a_configuration_by_itself_says_what_it_lacks(manager: ResourceManager) -> None:
    with pytest.raises(ResourceError, match="not known as what to read"):
        await manager.get(ResourceConfig("limits.json"))


@pytest.mark.parametrize(
    ("content", "selector", "wrong"),
    [
        ('{"tokens": }', None, "'limits.json' is not JSON: .*line 1"),
        ("\xff", None, "'limits.json' is not JSON"),
        ("[" * 100_000, None, "'limits.json' is not JSON"),
        ('{"a": {"c": {}}}', "a.b", "value at 'a' in .*'limits.json' has no key 'b'.*it has 'c'"),
        ("{}", "a", "file 'limits.json' has no key 'a'.*it has none"),
        ('{"a": [1]}', "a.0", "value at 'a' in .*'limits.json' is no JSON object but a list"),
        ('{"a": null}', "a.b", "value at 'a' in .* is no JSON object but null"),
        ("7", "a", "file 'limits.json' is no JSON object but a number"),
        ('{"models": []}', None, "file 'limits.json' does not fit Limits: tokens: Field required"),
        (
            '{"a": {"tokens": 1, "models": ["x", 2]}}',
            "a",
            r"value at 'a' in .* does not fit Limits: models\.1: .*string",
        ),
        ("[]", None, "does not fit Limits: the whole: "),
    ],
)
async def test_a_file_that_is_wrong_is_named_with_what_is_wrong(
    folder: Path, manager: ResourceManager, content: str, selector: str | None, wrong: str
) -> None:
    (folder / "limits.json").write_text(content, encoding="latin-1")
    limits = config("limits.json", selector)
    with pytest.raises(ResourceError, match=wrong):
        await manager.get(limits)
    (problem,) = problems(limits)
    assert re.search(wrong, problem)


async def test_what_cannot_be_read_is_named(folder: Path, manager: ResourceManager) -> None:
    (folder / "limits.json").mkdir()
    with pytest.raises(ResourceError, match=r"'limits\.json' cannot be read: Is a directory"):
        await manager.get(config("limits.json"))


def test_the_values_of_a_file_are_not_shown(folder: Path) -> None:
    (folder / "limits.json").write_text('{"tokens": "s3cret"}')
    (problem,) = problems(config("limits.json"))
    assert "tokens" in problem
    assert "s3cret" not in problem
