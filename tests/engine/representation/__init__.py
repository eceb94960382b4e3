"""Tests of the graph as JSON."""
