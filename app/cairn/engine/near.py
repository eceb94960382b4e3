"""Suggestions for a name that does not exist."""

from collections.abc import Iterable
from difflib import get_close_matches


def near(name: str, names: Iterable[str]) -> str:
    """Return a hint for an unknown name: the most similar known name, or all known names.

        near("promt", ["prompt", "topic"])  # " Did you mean 'prompt'?"

    The hint begins with a space, to be appended to a sentence.
    """
    known = sorted(names)
    found = get_close_matches(name, known, n=1)
    if found:
        return f" Did you mean {found[0]!r}?"
    return f" There are: {', '.join(known)}." if known else " There are none."
