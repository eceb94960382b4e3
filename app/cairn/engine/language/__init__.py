"""The language that workflows are written in."""
