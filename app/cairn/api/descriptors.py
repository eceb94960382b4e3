"""File descriptors: each connection needs one, and the process may open a limited number."""

import sys

MOST = 65_536  # bounds the memory of connections, too: some 7 kB each
SHARE = 0.8  # of the descriptors, for connections


def most_connections() -> int | None:
    """Raise the process's limit of file descriptors, and return the share for connections.

    The limit rises to the hard limit of the process, or to `MOST` if that is less. Windows has no
    such limit: `None`.
    """
    if sys.platform == "win32":
        return None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    descriptors = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < descriptors:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, hard))
        except ValueError:  # macOS has a lower limit of its own
            descriptors = soft
    return int(descriptors * SHARE)
