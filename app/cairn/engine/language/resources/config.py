"""Resources that are read from a JSON file into a pydantic model."""

from __future__ import annotations

import json
import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from cairn.engine.language.resources.descriptor import ResourceDescriptor
from cairn.engine.language.resources.errors import ResourceError, ResourceFileNotFoundError


@dataclass(frozen=True, slots=True)
class ResourceConfig:
    """A resource that is read from a JSON file, into the pydantic model of its annotation.

        class Limits(BaseModel):
            tokens: int

        @step
        async def ask(
            self,
            ev: StartEvent,
            limits: Annotated[Limits, ResourceConfig("settings.json", "model.limits")],
        ) -> StopEvent: ...

    The file is read on first use, once for each workflow object: a later change to the file is seen
    only by workflow objects made afterwards.

    Attributes:
        config_file: the path of the file, which ends in `.json`. A relative path starts at the
            directory that is current when the file is read.
        path_selector: the keys that lead to a part of the file, joined by dots; the whole file by
            default.
        label: a short name, for drawings of the workflow.
        description: the purpose of the configuration, for drawings of the workflow.
        model: the pydantic model of the annotation; filled in when the step's signature is read.

    Raises:
        ResourceError: the name of the file does not end in `.json`.
    """

    config_file: str
    path_selector: str | None = None
    label: str | None = None
    description: str | None = None
    model: type[BaseModel] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        # A pathlib.Path is accepted, too.
        object.__setattr__(self, "config_file", os.fspath(self.config_file))
        if not self.config_file.lower().endswith(".json"):
            raise ResourceError(
                f"A ResourceConfig is read from a JSON file, and {self.config_file!r} does not "
                "end in .json. For another format, write a factory and use Resource(factory)."
            )

    @property
    def name(self) -> str:
        """The path of the file, followed by a dot and the path selector, if any."""
        keys = "" if self.path_selector is None else f".{self.path_selector}"
        return f"{self.config_file}{keys}"

    @property
    def cache(self) -> bool:
        """Always true: the file is read once for each workflow object."""
        return True

    @property
    def key(self) -> Hashable:
        """The file, the path selector and the model: one part can be read into two models."""
        return (self.config_file, self.path_selector, self.model)

    def bound_to(self, annotated: Any, names: Mapping[str, Any]) -> ResourceConfig:  # noqa: ARG002
        """Return this configuration for the model that the annotation names.

        Raises:
            ResourceError: the annotated type is no pydantic model.
        """
        if not (isinstance(annotated, type) and issubclass(annotated, BaseModel)):
            raise ResourceError(
                f"ResourceConfig({self.config_file!r}) must be annotated with a pydantic model, "
                f"as in Annotated[MyModel, ResourceConfig(...)], not with {annotated!r}."
            )
        return replace(self, model=annotated)

    def dependencies(self) -> dict[str, ResourceDescriptor]:
        """Return an empty dict: a configuration depends on its file only."""
        return {}

    def check(self) -> None:
        """Read the file and check that its content fits the model.

        Raises:
            ResourceError: the file cannot be read, or its content does not fit the model.
        """
        self.read()

    async def build(self, arguments: Mapping[str, Any]) -> BaseModel:  # noqa: ARG002
        """Return the content of the file; see `read`."""
        return self.read()

    def read(self) -> BaseModel:
        """Read the file into the model.

        Raises:
            ResourceFileNotFoundError: the file does not exist.
            ResourceError: the file cannot be read, is no JSON, lacks a key of the path selector, or
                does not fit the model; or no annotation has named a model.
        """
        if self.model is None:
            raise ResourceError(
                f"It is not known as what to read {self.config_file!r}: use it as the annotation "
                "of a parameter, Annotated[MyModel, ResourceConfig(...)]."
            )
        selected = self._selected(self._content())
        try:
            # As JSON text: a strict model accepts a date as text only in JSON.
            return self.model.model_validate_json(json.dumps(selected))
        except ValidationError as error:
            # Without the values, which can be secrets.
            wrong = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'the whole'}: {e['msg']}"
                for e in error.errors(include_url=False, include_input=False)
            )
            raise ResourceError(
                f"{self._place(self.path_selector)} does not fit {self.model.__name__}: {wrong}. "
                "Correct the file or the model."
            ) from error

    def _content(self) -> Any:
        try:
            # Editors on Windows put a byte order mark before UTF-8.
            with open(self.config_file, encoding="utf-8-sig") as file:
                return json.load(file)
        except FileNotFoundError as error:
            raise ResourceFileNotFoundError(
                f"The configuration file {self.config_file!r} does not exist; it was looked for "
                f"as {os.path.abspath(self.config_file)!r}. Create it, or correct the path given "
                "to ResourceConfig."
            ) from error
        except OSError as error:
            raise ResourceError(
                f"The configuration file {self.config_file!r} cannot be read: {error.strerror}."
            ) from error
        except (ValueError, RecursionError) as error:
            raise ResourceError(
                f"The configuration file {self.config_file!r} is not JSON: {error}. Correct it "
                "there."
            ) from error

    def _selected(self, content: Any) -> Any:
        if self.path_selector is None:
            return content
        passed: list[str] = []
        for key in self.path_selector.split("."):
            where = self._place(".".join(passed) or None)
            if not isinstance(content, dict):
                raise ResourceError(
                    f"{where} is no JSON object but {_kind(content)}, so the path selector "
                    f"{self.path_selector!r} cannot go on to {key!r}. Correct one of them."
                )
            if key not in content:
                there = ", ".join(map(repr, content)) or "none"
                raise ResourceError(
                    f"{where} has no key {key!r}, which the path selector "
                    f"{self.path_selector!r} asks for; it has {there}. Correct one of them."
                )
            content = content[key]
            passed.append(key)
        return content

    def _place(self, keys: str | None) -> str:
        file = f"the configuration file {self.config_file!r}"
        return f"T{file[1:]}" if keys is None else f"The value at {keys!r} in {file}"


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case _:
            return "a list"
