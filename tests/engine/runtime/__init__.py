"""Tests of one run under way: its state, its step workers, its waits, and what it shows."""
