"""An alarm: code that does not come back is spoken of, and then interrupted where it stands."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN_SECONDS = 0.5  # between two interruptions, should the code have taken one for an error


class StillRunning(BaseException):
    """The time is up. No `Exception`, so that the code that is interrupted lets it pass.

    Attributes:
        line: where the code stands in its own file; `None` if its file is left.
        at: the function that it is in, and that function's line.
    """

    def __init__(self, file: str, frame: FrameType | None) -> None:
        self.at = "" if frame is None else f"{frame.f_code.co_qualname}:{frame.f_lineno}"
        while frame is not None and frame.f_code.co_filename != file:
            frame = frame.f_back
        self.line = None if frame is None else frame.f_lineno


@contextmanager
def alarm(
    file: str, first: float, seconds: float, speak: Callable[[StillRunning], None]
) -> Iterator[None]:
    """Execute the code of a file within a time.

    A signal interrupts the code in the main thread, where it belongs: what a file makes as it is
    loaded (a connection, a handler of signals) may be bound to its thread. So nothing of it goes on
    in the background. A call into another language is interrupted once it returns, or waits.
    In another thread, and where there is no such signal, the code takes as long as it takes.

    Args:
        file: the code's own file.
        first: seconds until `speak` is told where the code stands; never, if that is too late.
        seconds: until it is interrupted.

    Raises:
        StillRunning: the time was up.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGALRM"):
        yield
        return
    left = [seconds - first] if first < seconds else []
    is_over = False

    def ring(_: int, frame: FrameType | None) -> None:
        if is_over:
            return
        stands = StillRunning(file, frame)
        if left:
            signal.setitimer(signal.ITIMER_REAL, left.pop(), AGAIN_SECONDS)
            speak(stands)
        else:
            raise stands

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, min(first, seconds), AGAIN_SECONDS)
    try:
        yield
    finally:
        is_over = True
        if signal.getsignal(signal.SIGALRM) is ring:  # else the code has one of its own
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
