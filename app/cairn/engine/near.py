"""Names that are near to one that is not there."""

from collections.abc import Iterable
from difflib import get_close_matches


def near(name: str, names: Iterable[str]) -> str:
    """A hint at the name that was meant, such as " Did you mean 'prompt'?", or at all names."""
    known = sorted(names)
    found = get_close_matches(name, known, n=1)
    if found:
        return f" Did you mean {found[0]!r}?"
    return f" There are: {', '.join(known)}." if known else " There are none."
