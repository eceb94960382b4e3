"""Tests of the heart: what each fact makes of a snapshot."""
