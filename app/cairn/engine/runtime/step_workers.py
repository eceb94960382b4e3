"""Step workers: deliveries start in the order of sending, `num_workers` at a time for each step."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

Go = Callable[[int], None]
Queued = tuple[int, int, Go]


class StepWorkers:
    """The workers of a run's steps, and the queues before them."""

    def __init__(self, num_workers: Mapping[str, int]) -> None:
        # The free workers of each step, by number; the lowest is taken first.
        self._free = {step: list(range(number)) for step, number in num_workers.items()}
        self._limits = dict(num_workers)
        self._extra: Counter[str] = Counter()
        self._queues: defaultdict[str, list[Queued]] = defaultdict(list)
        self._count = 0  # tells equal entries of a queue apart
        self._closed = False
        self.working = 0
        self.queued = 0

    @property
    def idle(self) -> bool:
        """True if no step works, and none is about to."""
        return not self.working and not self.queued

    def take(self, step: str) -> int | None:
        """Have a worker of the step, if one is free: its number."""
        free = self._free[step]
        if not free or self._closed:
            return None
        self.working += 1
        return heapq.heappop(free)

    def take_another(self, step: str) -> int:
        """Have a worker of the step, one more than there are if none is free: its number."""
        worker = self.take(step)
        if worker is not None:
            return worker
        self.working += 1
        self._extra[step] += 1
        return self._limits[step] + self._extra[step] - 1

    def ask(self, step: str, delivery: int, go: Go) -> None:
        """Call `go` with the number of a worker of the step, once one is free."""
        worker = self.take(step)
        if worker is not None:
            go(worker)
            return
        self._count += 1
        self.queued += 1
        heapq.heappush(self._queues[step], (delivery, self._count, go))

    def leave(self, step: str, worker: int) -> None:
        """Give a worker back, to the next delivery in the queue."""
        if worker >= self._limits[step]:
            self._extra[step] -= 1
            self.working -= 1
            return
        queue = self._queues.get(step)
        if queue and not self._closed:
            self.queued -= 1
            heapq.heappop(queue)[2](worker)
        else:
            self.working -= 1
            heapq.heappush(self._free[step], worker)

    def close(self) -> None:
        """Start no further delivery."""
        self._closed = True
