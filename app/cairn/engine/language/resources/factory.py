"""The signature of a resource's factory: its name, parameters and annotations."""

import functools
import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from typing import Any

from cairn.engine.language.resources.errors import ResourceError

Factory = Callable[..., Any]


def name_of(factory: Factory) -> str:
    """Return the qualified name of the factory, below partials and decorators."""
    function = _underlying(factory)
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def parameters_of(factory: Factory) -> list[inspect.Parameter]:
    """Return the parameters that can be passed by name, without those that a partial has set.

    Raises:
        ResourceError: the signature cannot be read.
    """
    try:
        parameters = inspect.signature(factory).parameters.values()
    except NameError as error:  # annotations are read late from Python 3.14 on
        raise _unreadable("An annotation", factory, error) from error
    except (TypeError, ValueError):  # some built-in functions have no signature
        return []
    given = factory.keywords if isinstance(factory, functools.partial) else ()
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p for p in parameters if p.kind not in variadic and p.name not in given]


def hint_of(factory: Factory, parameter: inspect.Parameter, names: Mapping[str, Any]) -> Any:
    """Return the annotation of one parameter, evaluated if kept as text.

    Other annotations of the factory, such as its return type, stay unread: their names may exist
    for type checkers only.

    Args:
        factory: the factory.
        parameter: the parameter of the factory.
        names: the local names around the step that uses the factory.

    Returns:
        `None` for no annotation, and for an unreadable one without `Annotated` on a parameter that
            has a default.

    Raises:
        ResourceError: the annotation cannot be read.
    """
    if parameter.annotation is parameter.empty:
        return None

    def holder() -> None: ...

    holder.__annotations__ = {"hint": parameter.annotation}
    module, local = _scope(factory, names)
    try:
        return typing.get_type_hints(holder, module, local, include_extras=True)["hint"]
    except Exception as error:  # an annotation kept as text can hold any expression
        optional = parameter.default is not parameter.empty
        if optional and "Annotated" not in str(parameter.annotation):
            return None
        subject = f"The annotation of parameter {parameter.name!r}, {parameter.annotation!r},"
        raise _unreadable(subject, factory, error) from error


def _underlying(factory: Any) -> Any:
    """Return the function, class or object below partials and decorators."""
    while isinstance(factory, functools.partial):
        factory = factory.func
    return inspect.unwrap(factory)


def _scope(factory: Factory, names: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the names for the factory's annotations: those of its module, and local ones."""
    function = _underlying(factory)
    if isinstance(function, type):
        module = vars(sys.modules[function.__module__])
    else:
        if not inspect.isroutine(function):
            function = type(function).__call__
        function = getattr(function, "__func__", function)
        module = getattr(function, "__globals__", {})
    # A local name hides a name of the factory's module only if the factory is local, too.
    is_local = names.get(getattr(function, "__name__", "")) is function
    local = {name: names[name] for name in names if is_local or name not in module}
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
        except ValueError:  # the name is defined further down, and has no value yet
            continue
    return found


def _unreadable(subject: str, factory: Factory, error: Exception) -> ResourceError:
    return ResourceError(
        f"{subject} of resource factory {name_of(factory)} cannot be read: {error}. What it names "
        "must be defined or imported in the factory's module, not only for type checkers, or be "
        "in sight of the workflow."
    )
