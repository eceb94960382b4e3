"""Alarm: a warning about code that takes long, and an interruption once its time is up."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN_SECONDS = 0.5  # between two interruptions: the code may have caught the first


class StillRunning(BaseException):
    """The time for executing a file is up.

    Not an `Exception`: an `except Exception` in the interrupted code lets it pass.

    Attributes:
        line: the line under way in the file; `None` if no frame of the stack is in that file.
        at: the innermost function and the line there, as `name:line`; "" without a frame.
    """

    def __init__(self, file: str, frame: FrameType | None) -> None:
        self.at = "" if frame is None else f"{frame.f_code.co_qualname}:{frame.f_lineno}"
        while frame is not None and frame.f_code.co_filename != file:
            frame = frame.f_back
        self.line = None if frame is None else frame.f_lineno


@contextmanager
def alarm(
    file: str, first: float, seconds: float, warn: Callable[[StillRunning], None]
) -> Iterator[None]:
    """Execute the code of a file within a time limit.

    SIGALRM interrupts the code in the main thread, and leaves nothing running in the background.
    A thread for the code would not do: a connection or a signal handler that a file makes while
    loading may be bound to its thread. A call into native code is interrupted once the call returns
    or waits. In any other thread, and on a system without SIGALRM, the time is not limited.

    Args:
        file: the path of the code's file, as code objects have it (`co_filename`).
        first: seconds until the call of `warn`; no call unless `first` is less than `seconds`.
        seconds: seconds until the interruption.
        warn: called in the main thread, in the midst of the code, with the place reached.

    Raises:
        StillRunning: the time is up.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGALRM"):
        yield
        return
    left = [seconds - first] if first < seconds else []
    is_over = False

    def ring(_: int, frame: FrameType | None) -> None:
        if is_over:
            return
        place = StillRunning(file, frame)
        if left:
            signal.setitimer(signal.ITIMER_REAL, left.pop(), AGAIN_SECONDS)
            warn(place)
        else:
            raise place

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, min(first, seconds), AGAIN_SECONDS)
    try:
        yield
    finally:
        is_over = True
        if signal.getsignal(signal.SIGALRM) is ring:  # else the code has set a handler of its own
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
