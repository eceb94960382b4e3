"""What the signature of a resource's factory says."""

import functools
import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from typing import Any

from cairn.engine.language.resources.errors import ResourceError

Factory = Callable[..., Any]


def name_of(factory: Factory) -> str:
    """The qualified name of what is called in the end."""
    function = _underlying(factory)
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def parameters_of(factory: Factory) -> list[inspect.Parameter]:
    """The parameters that can be given a value by name, and have been given none yet.

    Raises:
        ResourceError: the signature cannot be read.
    """
    try:
        parameters = inspect.signature(factory).parameters.values()
    except NameError as error:  # annotations are read late from Python 3.14 on
        raise _unreadable("An annotation", factory, error) from error
    except (TypeError, ValueError):  # some that are built in do not tell
        return []
    given = factory.keywords if isinstance(factory, functools.partial) else ()
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p for p in parameters if p.kind not in several and p.name not in given]


def hint_of(factory: Factory, parameter: inspect.Parameter, names: Mapping[str, Any]) -> Any:
    """The annotation of one of its parameters, read if it is text.

    Only this one: others, such as the return type, may well be known to type checkers only.

    Args:
        names: the local names around the step that uses the factory.

    Returns:
        `None` if it has none, or one that cannot be read and says of no resource.

    Raises:
        ResourceError: it cannot be read.
    """
    if parameter.annotation is parameter.empty:
        return None

    def holder() -> None: ...

    holder.__annotations__ = {"hint": parameter.annotation}
    module, local = _scope(factory, names)
    try:
        return typing.get_type_hints(holder, module, local, include_extras=True)["hint"]
    except Exception as error:  # text can be anything
        optional = parameter.default is not parameter.empty
        if optional and "Annotated" not in str(parameter.annotation):
            return None
        what = f"The annotation of parameter {parameter.name!r}, {parameter.annotation!r},"
        raise _unreadable(what, factory, error) from error


def _underlying(factory: Any) -> Any:
    """The function, class or object that is called in the end."""
    while isinstance(factory, functools.partial):
        factory = factory.func
    return inspect.unwrap(factory)


def _scope(factory: Factory, names: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The names that the factory's annotations may use: those of its module, and local ones."""
    function = _underlying(factory)
    if isinstance(function, type):
        module = vars(sys.modules[function.__module__])
    else:
        if not inspect.isroutine(function):
            function = type(function).__call__
        function = getattr(function, "__func__", function)
        module = getattr(function, "__globals__", {})
    # Only of a factory that was defined around the step is it known that what stands there comes
    # before what its module has of the same name.
    is_there = names.get(getattr(function, "__name__", "")) is function
    local = {name: names[name] for name in names if is_there or name not in module}
    return module, local | _closure(function)


def _closure(function: Any) -> dict[str, Any]:
    code = getattr(function, "__code__", None)
    cells = getattr(function, "__closure__", None)
    if code is None or cells is None:
        return {}
    found = {}
    for name, cell in zip(code.co_freevars, cells, strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # defined further down, and not reached yet
            continue
    return found


def _unreadable(what: str, factory: Factory, error: Exception) -> ResourceError:
    return ResourceError(
        f"{what} of resource factory {name_of(factory)} cannot be read: {error}. What it names "
        "must be defined or imported in the factory's module, not only for type checkers, or be "
        "in sight of the workflow."
    )
