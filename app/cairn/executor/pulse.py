"""Pulse: tells whether the event loop moves, and which step holds it if not."""

import asyncio
import math
import sys
import threading
import time
import traceback
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

TICK_SECONDS = 0.25
BLOCKED_SECONDS = 1.0  # before the log is told
FRAMES = 15  # of the stack that are shown, the innermost

WhoIs = Callable[["asyncio.Task[object]"], dict[str, str]]


class Pulse:
    """Ticks in the event loop, watched by a thread of its own.

    All runs of the process and all requests share the loop. One step that blocks holds up all of
    these, and no other part of the process would notice.
    """

    def __init__(self, stuck_seconds: float) -> None:
        """Prepare the pulse; `start` begins to tick.

        Args:
            stuck_seconds: the time without a tick after which other processes are to take over.
        """
        self._stuck_seconds = stuck_seconds
        self._ticked = math.inf  # before the first tick
        self._ended = threading.Event()
        self._ticking: asyncio.TimerHandle | None = None

    @property
    def stands_still(self) -> float:
        """The seconds for which the loop has not moved; 0 if it moves."""
        seconds = time.monotonic() - self._ticked
        return seconds if seconds >= BLOCKED_SECONDS else 0.0

    @property
    def is_stuck(self) -> bool:
        """True if the loop has not moved for `stuck_seconds`: other processes are to take over."""
        return self.stands_still >= self._stuck_seconds

    def start(self, who_is: WhoIs) -> None:
        """Tick in the running loop, and watch the loop from a thread.

        Args:
            who_is: names for the log the run and the step that a task of the loop executes; an
                empty dict for other tasks.
        """
        loop, thread = asyncio.get_running_loop(), threading.get_ident()
        self._tick(loop)
        watch = threading.Thread(
            target=self._watch, args=(loop, thread, who_is), name="watchdog", daemon=True
        )
        watch.start()

    def stop(self) -> None:
        """Stop ticking, and stop the thread."""
        self._ended.set()
        if self._ticking is not None:
            self._ticking.cancel()

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._ticked = time.monotonic()
        self._ticking = loop.call_later(TICK_SECONDS, self._tick, loop)

    def _watch(self, loop: asyncio.AbstractEventLoop, thread: int, who_is: WhoIs) -> None:
        said, seconds = False, 0.0
        while not self._ended.wait(TICK_SECONDS):
            still = self.stands_still
            if still and not said:
                self._say(loop, thread, who_is)
            elif said and not still:
                log.warning("the event loop moves again", seconds=round(seconds, 1))
            said, seconds = bool(still), still

    def _say(self, loop: asyncio.AbstractEventLoop, thread: int, who_is: WhoIs) -> None:
        try:
            task = asyncio.current_task(loop)
            step = {} if task is None else who_is(task)
        except RuntimeError:  # the loop has moved on meanwhile
            step = {}
        frame = sys._current_frames().get(thread)
        stack = "".join(traceback.format_stack(frame)[-FRAMES:])
        log.error(
            "the event loop is blocked: no run goes on and no request is answered. A step that "
            "computes or waits without `await` must be a plain `def`, which runs in a thread",
            **step,
            stack=stack,
        )
