"""One run under way, in this process."""
