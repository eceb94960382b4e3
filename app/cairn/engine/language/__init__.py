"""The language in which workflows are written."""
