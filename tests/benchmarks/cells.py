"""What there is to run: shapes, each in several sizes."""

from dataclasses import dataclass
from typing import Literal, get_args

Shape = Literal["chain", "loop", "fan_out"]

SHAPES: tuple[Shape, ...] = get_args(Shape)


@dataclass(frozen=True, slots=True)
class Cell:
    """A shape of a size: how many steps a chain has, a loop takes, or a fan-out is wide."""

    shape: Shape
    size: int

    @property
    def steps(self) -> int:
        """How many times a step is executed in one run."""
        return 1 + 2 * self.size if self.shape == "fan_out" else self.size

    @property
    def result(self) -> int:
        """What a run must come to."""
        return sum(range(self.size + 1)) if self.shape == "fan_out" else self.size

    def __str__(self) -> str:
        return f"{self.shape.replace('_', '-')} of {self.size:,}"


CELLS = tuple(
    Cell(shape, size)
    for shape in SHAPES
    for size in ((100, 1_000) if shape == "fan_out" else (2, 10, 100, 1_000, 10_000))
)
