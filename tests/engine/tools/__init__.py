"""Tools of the tests: waiting for a run, reading a drawing, and time that jumps."""
