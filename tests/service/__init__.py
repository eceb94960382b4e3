"""Tests of what the service makes of what the store gives."""
