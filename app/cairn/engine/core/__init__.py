"""The heart: what a fact makes of a run. Pure: no clock, no task, no thread."""
