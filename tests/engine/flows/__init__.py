"""Workflows under test, by what their steps do: send, wait, take lists, fail or do not fit."""
