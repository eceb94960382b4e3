"""The memory of all runs: the only room that speaks SQL."""
