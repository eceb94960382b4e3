"""Where runs are remembered: the only room that speaks SQL."""
