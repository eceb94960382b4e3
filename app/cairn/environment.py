"""The file `.env`: variables for this process where its environment has none of their names."""

import os
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

FILE = Path(".env")  # of the working folder


def load() -> frozenset[str]:
    """Add the file's variables to the environment, which wins where it has one of the same name.

    Returns:
        The names of those that were added.

    Raises:
        ValueError: the file cannot be read; the message says where.
    """
    if not FILE.is_file():
        return frozenset()
    try:
        with FILE.open(encoding="utf-8") as written:
            for binding in parse_stream(written):
                if binding.error:
                    line = binding.original.line
                    raise ValueError(f"{FILE}, line {line}: write NAME=value, or a comment.")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{FILE} cannot be read: {error}.") from error
    found = {name: value for name, value in dotenv_values(FILE).items() if value is not None}
    added = found.keys() - os.environ.keys()
    os.environ.update({name: found[name] for name in added})
    return frozenset(added)
