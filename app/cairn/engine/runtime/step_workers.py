"""Step workers: deliveries start in the order of sending, `num_workers` at a time for each step."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

Go = Callable[[int], None]
Queued = tuple[int, int, Go]


class StepWorkers:
    """The step workers of a run, and a queue of deliveries for each step.

    Attributes:
        working: the number of workers taken, of all steps.
        queued: the number of deliveries that wait for a worker, of all steps.
    """

    def __init__(self, num_workers: Mapping[str, int]) -> None:
        # The free workers of each step, by number; the lowest is taken first.
        self._free = {step: list(range(number)) for step, number in num_workers.items()}
        self._limits = dict(num_workers)
        self._extra: Counter[str] = Counter()
        self._queues: defaultdict[str, list[Queued]] = defaultdict(list)
        self._count = 0  # makes each entry of a queue unique, so that no callbacks are compared
        self._closed = False
        self.working = 0
        self.queued = 0

    @property
    def idle(self) -> bool:
        """True if no worker is taken, and no delivery is queued."""
        return not self.working and not self.queued

    def take(self, step: str) -> int | None:
        """Take a worker of the step, and return its number; `None` if none is free."""
        free = self._free[step]
        if not free or self._closed:
            return None
        self.working += 1
        return heapq.heappop(free)

    def take_another(self, step: str) -> int:
        """Take a worker of the step, an extra one if none is free, and return its number."""
        worker = self.take(step)
        if worker is not None:
            return worker
        self.working += 1
        self._extra[step] += 1
        return self._limits[step] + self._extra[step] - 1

    def ask(self, step: str, delivery: int, go: Go) -> None:
        """Take a worker of the step once one is free, and call `go` with the worker's number.

        Args:
            step: the name of the step.
            delivery: the id of the delivery: the oldest delivery is the first in the queue.
            go: called at once if a worker is free.
        """
        worker = self.take(step)
        if worker is not None:
            go(worker)
            return
        self._count += 1
        self.queued += 1
        heapq.heappush(self._queues[step], (delivery, self._count, go))

    def leave(self, step: str, worker: int) -> None:
        """Give a worker back: to the oldest delivery in the queue, if there is one."""
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
        """Hand out no further workers; `take_another` still gives extra ones."""
        self._closed = True
