"""Cairn: event-driven workflows over HTTP, with a checkpoint at every completed step."""

__version__ = "0.1.0"
