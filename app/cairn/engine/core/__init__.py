"""The heart: the change that a fact makes to a run. Pure: no clock, no task, no thread."""
