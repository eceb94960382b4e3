"""Catalog: the workflows in the `.py` files of a folder, each file loaded by its path."""

import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType

import structlog

from cairn.alarm import StillRunning, alarm
from cairn.engine import PickleSerializer, Workflow
from cairn.engine.language.steps import step_of
from cairn.engine.values.exception_json import message_of
from cairn.errors import WorkflowNotLoaded

log = structlog.get_logger(__name__)

MODULE = "cairn_workflow_files"  # a name that no package has: `workflows` is a well-known library's
SLOW_SECONDS = 5.0  # of loading a file, until the log names the line under way
EARLIER = ("app", "app.engine")  # the language's home before the package was called cairn
PATH = re.compile(r"(?:/[\w.@+-]+)+")


@dataclass(frozen=True, slots=True)
class Broken:
    """A file or a workflow that cannot be used, with the reason."""

    file: str
    error: str


@dataclass(slots=True)
class Catalog:
    """The workflows by name, and the files and workflows that could not be loaded."""

    workflows: dict[str, Workflow] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)

    def find(self, name: str) -> Workflow:
        """The workflow of a name.

        Raises:
            WorkflowNotLoaded: no workflow of that name is loaded.
        """
        found = self.workflows.get(name)
        if found is None:
            names = ", ".join(sorted(self.workflows)) or "none"
            raise WorkflowNotLoaded(
                f"There is no workflow {name[:100]!r}. There are: {names}. "
                "GET /workflows also tells which files could not be loaded."
            )
        return found

    def add(self, file: str, kind: type[Workflow]) -> None:
        """Make and validate a workflow of the class, and list the workflow under its name.

        Report the class instead if this raises, or if the name is taken.

        Args:
            file: the name of the file that defines the class.

        Raises:
            StillRunning: the file's time is up.
        """
        try:
            workflow = kind()
            workflow.validate()
            if isinstance(workflow.serializer, PickleSerializer):
                raise ValueError(
                    "a PickleSerializer is for use as a library: what a service reads must not be "
                    "executed. Take it out, and declare the types in `types`."
                )
        except (KeyboardInterrupt, StillRunning):
            raise
        except BaseException as error:  # no mistake in one file keeps the rest from being served
            self.report(file, f"{kind.__name__}: {_described(error)}")
            return
        if kind.name in self.workflows:
            self.report(file, f"{kind.__name__}: there is a workflow {kind.name!r} already.")
        else:
            self.workflows[kind.name] = workflow

    def report(self, file: str, error: str) -> None:
        """Log and list a file or a workflow that cannot be used."""
        log.error("workflow not loaded", file=file, error=error)
        self.broken.append(Broken(file, error))


def load(folder: Path, seconds: float) -> Catalog:
    """Load the workflows of a folder, file by file in the order of the names.

    A file that raises, or is interrupted after `seconds`, is reported; the rest is served. Such a
    file contributes nothing, except for workflows that were complete before an interruption.

    Args:
        folder: the folder; the files of its subfolders are not loaded.
        seconds: the time that each file may take.

    Raises:
        ValueError: there is no such folder.
    """
    catalog = Catalog()
    for path in sorted(checked(folder).glob("*.py")):
        slow = partial(_warn_slow, path.name)
        try:
            with alarm(str(path.absolute()), SLOW_SECONDS, seconds, slow):
                for kind in _defined_in(_module(path)):
                    catalog.add(path.name, kind)
        except KeyboardInterrupt:
            raise
        except StillRunning as late:
            catalog.report(
                path.name,
                f"it was still loading after {seconds:g} s, at line {late.line}, in {late.at}. "
                "Have it do less when it is loaded, or raise CAIRN_LOAD_SECONDS.",
            )
        except BaseException as error:
            log.error("workflow file not loaded", file=path.name, exc_info=error)
            catalog.report(path.name, _described(error) + _import_hint(error, path))
    return catalog


def checked(folder: Path) -> Path:
    """Return the folder, which must exist.

    Raises:
        ValueError: there is no such folder.
    """
    if not folder.is_dir():
        raise ValueError(
            f"There is no folder {folder} with workflows. Name one with --workflows or in "
            "CAIRN_WORKFLOWS; or make one with cairn init."
        )
    return folder


def _warn_slow(file: str, place: StillRunning) -> None:
    log.warning("workflow file still loading", file=file, line=place.line, at=place.at)


def _module(path: Path) -> ModuleType:
    name = f"{MODULE}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # models and postponed annotations look their module up here
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _defined_in(module: ModuleType) -> Iterator[type[Workflow]]:
    for found in vars(module).values():
        is_workflow = isinstance(found, type) and issubclass(found, Workflow)
        if is_workflow and found.__module__ == module.__name__ and _has_steps(found):
            yield found


def _has_steps(kind: type) -> bool:
    return any(step_of(getattr(kind, name)) for name in dir(kind))


def _described(error: BaseException) -> str:
    """The type and message of the error, with paths of this machine cut to the last name."""
    return f"{type(error).__name__}: {re.sub(PATH, _name_alone, message_of(error))}"


def _import_hint(error: BaseException, file: Path) -> str:
    """A hint for a file that imports the language by the package's earlier name, else ""."""
    is_missing = isinstance(error, ModuleNotFoundError) and error.name in EARLIER
    if not is_missing or EARLIER[-1] not in file.read_text(errors="replace"):
        return ""
    return ". The language is in another package now: from cairn import Workflow, step, ..."


def _name_alone(found: re.Match[str]) -> str:
    path = Path(found[0])
    return path.name if path.parent.is_dir() and path.parent != Path("/") else found[0]
