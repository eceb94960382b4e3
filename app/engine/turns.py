"""Who may start: deliveries in the order they were sent, `num_workers` at a time for each step."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

Turn = tuple[int, int, Callable[[], None]]


class Turns:
    """The workers of a run's steps, and the queues before them."""

    def __init__(self, num_workers: Mapping[str, int]) -> None:
        self._limits = num_workers
        self._queues: defaultdict[str, list[Turn]] = defaultdict(list)
        self._working: Counter[str] = Counter()
        self._count = 0  # tells equal entries of a queue apart
        self._closed = False
        self.working = 0
        self.queued = 0

    @property
    def idle(self) -> bool:
        """Nobody works, and nobody is about to."""
        return not self.working and not self.queued

    def ask(self, step: str, delivery: int, go: Callable[[], None]) -> None:
        """Call `go` as soon as a worker of the step is free, which it then has."""
        if self._working[step] < self._limits[step] and not self._closed:
            self._take(step)
            go()
            return
        self._count += 1
        self.queued += 1
        heapq.heappush(self._queues[step], (delivery, self._count, go))

    def leave(self, step: str) -> None:
        """Give the worker back; the next in the queue has it."""
        self._working[step] -= 1
        self.working -= 1
        queue = self._queues.get(step)
        if queue and self._working[step] < self._limits[step] and not self._closed:
            self.queued -= 1
            self._take(step)
            heapq.heappop(queue)[2]()

    def close(self) -> None:
        """Nobody else starts."""
        self._closed = True

    def _take(self, step: str) -> None:
        self._working[step] += 1
        self.working += 1
