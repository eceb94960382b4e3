"""The file descriptors that the process may have, each connection needing one."""

import sys

MOST = 65_536  # a bound to what connections take of memory, too: some 7 kB each
SHARE = 0.8  # that is for connections


def most_connections() -> int | None:
    """How many connections there is room for, once the process may have as many file descriptors
    as it can get by itself; `None` where nothing bounds them."""
    if sys.platform == "win32":
        return None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    descriptors = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < descriptors:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, hard))
        except ValueError:  # macOS has another, lower bound
            descriptors = soft
    return int(descriptors * SHARE)
