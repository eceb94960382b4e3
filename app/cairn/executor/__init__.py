"""Who drives runs: the only room that knows of processes."""
