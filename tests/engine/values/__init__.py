"""Tests of values: as JSON and back, exactly."""
