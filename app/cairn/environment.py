"""The file `.env`: defaults for the environment variables of this process."""

import os
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

FILE = Path(".env")  # of the working folder


def load() -> frozenset[str]:
    """Add the file's variables to the environment. A variable set already keeps its value.

    Returns:
        The names of the variables added; none without a file.

    Raises:
        ValueError: the file cannot be read, or has a line of another form; the message names the
            line.
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
