"""Cases: one demand on a journal each, named by a sentence."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cairn.conformance.storage import Capability, Storage


@dataclass(frozen=True)
class Case:
    """One demand on journals.

    Attributes:
        sentence: the demand in words.
        needs: the capabilities without which the demand means nothing.
    """

    sentence: str
    needs: frozenset[Capability]
    _demand: Callable[[Storage], Awaitable[None]]

    def __str__(self) -> str:
        return self.sentence

    async def check(self, storage: Storage) -> None:
        """Try the storage's journals.

        Raises:
            AssertionError: the demand is not met; the message begins with the sentence.
        """
        try:
            await self._demand(storage)
        except AssertionError as error:
            raise AssertionError(f"{self.sentence}: {error}") from error


def case(*needs: Capability) -> Callable[[Callable[[Storage], Awaitable[None]]], Case]:
    """Make a case of a coroutine function, whose name is the sentence."""

    def of(demand: Callable[[Storage], Awaitable[None]]) -> Case:
        words = getattr(demand, "__name__", "").replace("_", " ")
        return Case(words, frozenset(needs), demand)

    return of


def expect(is_met: bool, otherwise: str) -> None:
    """Raise an error with this text unless the condition is met.

    An `assert` would be left out where Python runs with `-O`, and every journal would pass.

    Raises:
        AssertionError: the condition is not met.
    """
    if not is_met:
        raise AssertionError(otherwise)
