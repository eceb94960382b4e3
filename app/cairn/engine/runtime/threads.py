"""Threads for steps that are not coroutines, and the calls from these to the event loop."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


async def in_thread(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Call a function in a new thread, and wait for the result in the event loop.

    The thread is a daemon: a process can end before the thread, and its step is pending still and
    is executed again. A process would wait for the threads of a pool.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    def call() -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = function(**arguments)
        except StopIteration as stop:  # a future refuses StopIteration
            error = RuntimeError("The step raised StopIteration.")
            error.__cause__ = stop
        except BaseException as raised:  # raised again by the await below
            error = raised
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:  # the loop is closed: the await below has ended
            return

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(call,), daemon=True).start()
    return await done


class RunLoop:
    """The event loop of a run, for calls from the threads of steps."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.current_thread()

    def call(self, function: Callable[[], T]) -> T:
        """Call the function in the loop's thread, from any thread, and return the result."""
        if threading.current_thread() is self._thread:
            return function()
        return asyncio.run_coroutine_threadsafe(_as_coroutine(function), self._loop).result()


async def _as_coroutine(function: Callable[[], T]) -> T:
    return function()
